"""The one trainer: any family, any stage, on one device or under torchrun."""
