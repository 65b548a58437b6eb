"""A study's report: one page that tells what was asked, what was found, how sure that is, how to get it again."""
