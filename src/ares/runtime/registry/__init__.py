"""The models' journal and its mirror in MLflow."""
