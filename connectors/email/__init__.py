"""E-mail: what a service task with the topic `email.send` does."""
