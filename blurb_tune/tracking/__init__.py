"""MLflow runs, derived from a sweep's event log. Importing this package does not import MLflow."""

from blurb_tune.core.secrets import redact
from blurb_tune.tracking.addresses import tracking_uri
from blurb_tune.tracking.delivery import Delivery, deliver
from blurb_tune.tracking.server import check_server, dashboard_command, dashboard_url
from blurb_tune.tracking.writer import TrackingWriter

__all__ = [
    "Delivery",
    "TrackingWriter",
    "check_server",
    "dashboard_command",
    "dashboard_url",
    "deliver",
    "redact",
    "tracking_uri",
]
