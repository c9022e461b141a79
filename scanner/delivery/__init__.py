"""
Sending a finished run's files to where they are kept: a folder, or anything else that is a `Destination`.

Nothing is sent of a run that does not verify, nothing is overwritten, and what was sent is read back.
"""

from scanner.delivery.destination import Contents, Destination, Parcel, Placed
from scanner.delivery.folder import FolderDestination
from scanner.delivery.receipt import Delivered, deliver_run, describe_delivery, name_repeat

__all__ = [
    "Contents",
    "Delivered",
    "Destination",
    "FolderDestination",
    "Parcel",
    "Placed",
    "deliver_run",
    "describe_delivery",
    "name_repeat",
]
