"""A local Stripe: a small, stateful server on loopback, driven by the real SDK, for tests and for trying things out.

    with start_sandbox() as sandbox:
        client = stripe.StripeClient("sk_test_anything", base_addresses={"api": sandbox.url})

It plays customers, payment methods (the documented test cards), PaymentIntents, charges, refunds, balance transactions and
events with signed webhooks, with Stripe's idempotency keys. Any `sk_test_...` key is taken. All state is in memory.

On the same port, tests turn it with JSON requests (`sandbox.control` makes them):

| request                        | body | effect |
|--------------------------------|------|--------|
| GET /_sandbox/state            | | time, latency, counts of records, totals by currency, the busiest second |
| POST /_sandbox/reset           | | forget records, keys, faults, webhooks, log, traffic |
| POST /_sandbox/clock           | advance_seconds | the sandbox's clock moves forward |
| POST /_sandbox/latency         | latency_ms | every request takes this long |
| POST /_sandbox/rate_limit      | per_second (or null) | more requests in a second get 429 |
| POST /_sandbox/faults          | the fields of `faults.Fault` | requests meet trouble |
| DELETE /_sandbox/faults        | | no faults any more |
| POST /_sandbox/webhooks        | the fields of `webhooks.Endpoint` | events are posted there |
| DELETE /_sandbox/webhooks      | | no webhooks any more |
| POST /_sandbox/webhooks/deliver | order, copies | send what waits or failed |
| GET /_sandbox/requests         | | what arrived since the last reset |
| POST /_sandbox/authenticate    | payment_intent, succeeds | the customer answers the bank |
| POST /_sandbox/settle          | payment_intent, succeeds | the card network answers for a `processing` payment |
| POST /_sandbox/refunds         | refund, status, reason | a pending refund ends, or one that succeeded comes back |
| POST /_sandbox/cards           | payment_method, behaves_as | a kept card behaves as another test card from now on |
"""

from __future__ import annotations

from connectors.stripe_sandbox.client import SandboxControl
from connectors.stripe_sandbox.process import Sandbox, start_sandbox

__all__ = ["Sandbox", "SandboxControl", "start_sandbox"]
