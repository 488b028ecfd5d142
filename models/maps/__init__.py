"""What Grad-CAM explains, a file per model. Apart from their packages: what is explained is no source of training."""
