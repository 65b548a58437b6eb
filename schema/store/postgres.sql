-- What SQLite has built in and the store's statements use; see dialects.py. Made anew with every version.

-- A value out of JSON: rows are compared from left to right, so any number comes before any text.
DO $$ BEGIN
    IF to_regtype('lite_value') IS NULL THEN
        CREATE TYPE lite_value AS (kind int, number double precision, words text COLLATE "C");
    END IF;
END $$;

CREATE OR REPLACE FUNCTION lite_value_of(double precision) RETURNS lite_value IMMUTABLE LANGUAGE sql AS
$$ SELECT CASE WHEN $1 IS NOT NULL THEN ROW(1, $1, '')::lite_value END $$;

CREATE OR REPLACE FUNCTION lite_value_of(text) RETURNS lite_value IMMUTABLE LANGUAGE sql AS
$$ SELECT CASE WHEN $1 IS NOT NULL THEN ROW(2, 0, $1)::lite_value END $$;

CREATE OR REPLACE FUNCTION lite_value_of(jsonb) RETURNS lite_value IMMUTABLE LANGUAGE sql AS
$$ SELECT CASE coalesce(jsonb_typeof($1), 'null')
    WHEN 'null' THEN NULL
    WHEN 'number' THEN ROW(1, $1::double precision, '')::lite_value
    WHEN 'boolean' THEN ROW(1, $1::boolean::int, '')::lite_value
    ELSE ROW(2, 0, $1 #>> '{}')::lite_value END $$;

-- Postgres has no sign for what JSON writes as \u0000.
CREATE OR REPLACE FUNCTION lite_json(text) RETURNS jsonb IMMUTABLE LANGUAGE sql AS
$$ SELECT replace($1, '\u0000', '\ufffd')::jsonb $$;

CREATE OR REPLACE FUNCTION lite_json_extract(document text, path text) RETURNS lite_value IMMUTABLE LANGUAGE sql AS
$$ SELECT lite_value_of(jsonb_path_query_first(lite_json(document), path::jsonpath)) $$;

CREATE OR REPLACE FUNCTION lite_json_set(document text, path text, value jsonb) RETURNS text IMMUTABLE LANGUAGE sql AS
$$ SELECT jsonb_set(lite_json(document), string_to_array(substr(path, 3), '.'), value)::text $$;

CREATE OR REPLACE FUNCTION lite_json_each(document text) RETURNS TABLE (key bigint, value lite_value)
IMMUTABLE LANGUAGE sql AS
$$ SELECT place - 1, lite_value_of(element)
   FROM jsonb_array_elements(lite_json(document)) WITH ORDINALITY AS list (element, place) $$;

CREATE OR REPLACE FUNCTION lite_json_texts(document text) RETURNS SETOF text IMMUTABLE LANGUAGE sql AS
$$ SELECT jsonb_array_elements_text(lite_json(document)) $$;

CREATE OR REPLACE FUNCTION lite_pragma_table_info(table_name text) RETURNS TABLE (name text, type text)
STABLE LANGUAGE sql AS
$$ SELECT attname::text, CASE atttypid WHEN 'bigint'::regtype THEN 'INTEGER'
        WHEN 'double precision'::regtype THEN 'REAL' ELSE 'TEXT' END
   FROM pg_attribute
   WHERE attrelid = to_regclass(table_name) AND attnum > 0 AND NOT attisdropped AND attname <> 'rowid'
   ORDER BY attnum $$;

CREATE OR REPLACE FUNCTION lite_pragma_foreign_key_list(table_name text)
RETURNS TABLE ("table" text, "from" text, "to" text) STABLE LANGUAGE sql AS
$$ SELECT confrelid::regclass::text,
        (SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]),
        (SELECT attname::text FROM pg_attribute WHERE attrelid = confrelid AND attnum = confkey[1])
   FROM pg_constraint WHERE contype = 'f' AND conrelid = to_regclass(table_name) $$;

CREATE OR REPLACE VIEW sqlite_master AS
    SELECT 'table'::text AS type, tablename::text AS name FROM pg_tables WHERE schemaname = current_schema();

CREATE OR REPLACE FUNCTION lite_pragma_page_size() RETURNS TABLE (page_size bigint) STABLE LANGUAGE sql AS
$$ SELECT current_setting('block_size')::bigint $$;

CREATE OR REPLACE FUNCTION lite_pragma_page_count() RETURNS TABLE (page_count bigint) STABLE LANGUAGE sql AS
$$ SELECT coalesce(sum(pg_total_relation_size(format('%I.%I', schemaname, tablename)::regclass)), 0)::bigint
        / current_setting('block_size')::bigint
   FROM pg_tables WHERE schemaname = current_schema() $$;
