"""The language of .wire scripts: see ../README.md."""
