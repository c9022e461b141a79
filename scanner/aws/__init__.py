"""
Talking to AWS: the account list, and the way into each account. Alone in importing boto3.
"""

from scanner.aws.clients import Clients, connect
from scanner.aws.collector import AwsCollector
from scanner.aws.directory import AwsDirectory
from scanner.aws.errands import RemoteCollector
from scanner.aws.examiner import AwsExaminer, measure_clock
from scanner.aws.visits import RolePlan

__all__ = [
    "AwsCollector",
    "AwsDirectory",
    "AwsExaminer",
    "Clients",
    "RemoteCollector",
    "RolePlan",
    "connect",
    "measure_clock",
]
