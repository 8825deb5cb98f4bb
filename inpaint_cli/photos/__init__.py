"""Photos: files to arrays and back, windows around holes, blending, sheets."""
