"""Stripe: what a service task with the topic `stripe.charge` does."""
