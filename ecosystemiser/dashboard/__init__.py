"""The results explorer: pages by Streamlit over the store's questions, each asked of a connection that only reads.

`app` names the pages, one module each (`…_page`); `sources` opens the results, `wording` makes whatever they hold
harmless on a page. Started by `serving`, as `ecosystemiser dashboard`.
"""
