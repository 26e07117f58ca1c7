"""Services: what people and workers do, each in its transactions. They neither print nor read the environment."""
