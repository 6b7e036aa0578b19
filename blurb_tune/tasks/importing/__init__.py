"""From data sets as people have them to the folders that BLURB tasks are read from."""
