"""What Schemathesis takes up (`SCHEMATHESIS_HOOKS`): who asks, and one check of our own."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis.specs.openapi.checks import status_code_conformance

from tests.accounts import add_account, make_app, sign_in
from tests.servers import SECRET

ROLES = os.environ["CONTRACT_ROLES"].split()
OF_THE_CONNECTION = {414, 431}
"""Statuses of any request that is too long: said once, for all operations."""

_app = make_app(
    os.environ["CONTRACT_DATABASE"],
    Path(os.environ["CONTRACT_DATA_DIR"]),
    os.environ["CONTRACT_ENVIRONMENT"],
    secret_key=SECRET,
)

if ROLES:

    @schemathesis.auth(refresh_interval=60)
    class SignedIn:
        """Somebody new each minute: who changes accounts at random may end their own."""

        def get(self, case: Any, context: Any) -> dict[str, str]:
            """The header of a sign-in."""
            account = add_account(_app.state.journal.engine, *ROLES, name=str(uuid4()))
            return sign_in(_app, account)

        def set(self, case: Any, data: dict[str, str], context: Any) -> None:
            """Put it into a request."""
            case.headers.update(data)


@schemathesis.check
def documented_status(context: Any, response: Any, case: Any) -> bool | None:
    """The contract of the operation speaks of the status, or that of all connections does."""
    if response.status_code in OF_THE_CONNECTION:
        return None
    return status_code_conformance(context, response, case)
