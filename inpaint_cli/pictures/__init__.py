"""Picture files: one reader for photos, masks and training pictures, and one writer."""
