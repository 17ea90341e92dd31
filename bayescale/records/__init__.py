"""Records: the plain data of results, as the command line and the report write them."""
