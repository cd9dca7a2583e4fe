"""Flask and Werkzeug objects: where tokens come from and answers go to. They come in as arguments, never by proxy."""
