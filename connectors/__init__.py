"""What service tasks reach: Stripe, e-mail, and the Stripe sandbox to try them against."""
