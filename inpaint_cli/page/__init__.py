"""The page of `inpaint paint`: a local server, and what a session at it can do."""
