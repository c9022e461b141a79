"""
What each shipped catalog is to map, written by hand from the frameworks and not from the catalogs.

A mapping, a relation or a threshold that changes has to be meant, and is changed here too.
"""

D, S = "D", "S"
"""
Direct: the check is what the control asks for. Supporting: it is a lead, a population or a part.

So three kinds of mapping are never direct: a check that only ever gives leads; single credentials
where the framework speaks of accounts; and users of unknown rights where it speaks of administrators.
"""

Mapped = tuple[str, str]
"""
A check with its parameters as the verdict column names them, and D or S.
"""

Controls = dict[str, list[Mapped]]
"""
Control id to the checks that bear on it; none where the control stands only to say so.
"""

# Thresholds. A check without parameters has its own: 90 days, strictly more, for inactive users and
# the age of keys and passwords; 45 days or more for unused credentials, which is CIS's benchmark.
PASSWORD_UNUSED_OVER_90 = "password-unused:days=90,operator=more-than"
KEY_UNUSED_OVER_90 = "access-key-unused:days=90,operator=more-than"
PASSWORD_UNUSED_OVER_45 = "password-unused:operator=more-than"
KEY_UNUSED_OVER_45 = "access-key-unused:operator=more-than"
INACTIVE_OVER_45 = "user-inactive:days=45"
INACTIVE_OVER_35 = "user-inactive:days=35"

# PCI SSC FAQ 1066: an account is inactive when it was not used in over 90 days. So the framework's
# checks of single credentials count 90 days too, strictly more.
PCI_DSS_4_0_1: Controls = {
    "7.2.4": [
        ("user-inactive", S),
        (PASSWORD_UNUSED_OVER_90, S),
        (KEY_UNUSED_OVER_90, S),
        ("no-visible-credentials", S),
    ],
    "7.2.5.1": [
        (KEY_UNUSED_OVER_90, S),
        ("access-key-age", S),
        ("no-visible-credentials", S),
    ],
    "8.2.1": [("generic-username", S), ("root-recent-use", S)],
    "8.2.2": [
        ("root-recent-use", S),
        ("root-access-key-active", S),
        ("generic-username", S),
    ],
    "8.2.4": [("no-visible-credentials", S), ("two-active-keys", S)],
    "8.2.5": [("user-inactive", S)],
    "8.2.6": [
        ("user-inactive", D),
        (PASSWORD_UNUSED_OVER_90, S),
        (KEY_UNUSED_OVER_90, S),
    ],
    "8.3.1": [],
    "8.3.5": [("initial-password-unchanged", S)],
    "8.3.9": [("single-factor-password-age", D), ("password-rotation-overdue", S)],
    "8.3.10.1": [],
    "8.4.1": [("root-console-no-mfa", D), ("console-no-mfa", S)],
    "8.4.2": [("console-no-mfa", D), ("root-console-no-mfa", D)],
    "8.4.3": [("console-no-mfa", S), ("root-console-no-mfa", S)],
    "8.5.1": [("console-no-mfa", S), ("root-console-no-mfa", S)],
    "8.6.1": [("console-and-active-key", S)],
    "8.6.3": [("access-key-age", S), (KEY_UNUSED_OVER_90, S)],
    "12.3.1": [],
    "12.4.2": [],
    "12.5.2": [("account-not-collected", S)],
    "A3.4.1": [("user-inactive", S)],
}

ISO_27001_2022: Controls = {
    "A.5.15": [
        ("console-no-mfa", S),
        ("root-access-key-active", S),
        ("user-inactive", S),
    ],
    "A.5.16": [
        ("user-inactive", S),
        ("generic-username", S),
        ("no-visible-credentials", S),
        ("console-and-active-key", S),
    ],
    "A.5.17": [
        ("access-key-age", S),
        ("two-active-keys", S),
        ("setup-key-never-used", S),
        ("initial-password-unchanged", S),
        ("password-rotation-overdue", S),
        ("signing-cert-active", S),
    ],
    "A.5.18": [
        ("user-inactive", S),
        ("password-unused", S),
        ("access-key-unused", S),
        ("no-visible-credentials", S),
    ],
    "A.5.28": [],
    "A.5.33": [],
    "A.5.36": [("report-stale", S), ("account-not-collected", S)],
    "A.8.2": [
        ("root-access-key-active", D),
        ("root-recent-use", S),
        ("root-credentials-present", S),
        ("root-signing-cert-active", S),
        ("root-console-no-mfa", S),
    ],
    "A.8.3": [],
    "A.8.5": [
        ("console-no-mfa", D),
        ("root-console-no-mfa", D),
        ("single-factor-password-age", S),
        ("programmatic-no-mfa", S),
    ],
    "A.8.34": [],
}

# The benchmark's sections moved, and v7.0.0 dropped two recommendations and gained one.
CIS_AWS_1_5_TO_4: Controls = {
    "1.4": [("root-access-key-active", D)],
    "1.5": [("root-console-no-mfa", D)],
    "1.6": [],
    "1.7": [("root-recent-use", D)],
    "1.10": [("console-no-mfa", D)],
    "1.11": [("setup-key-never-used", D)],
    "1.12": [("password-unused", D), ("access-key-unused", D)],
    "1.13": [("two-active-keys", D)],
    "1.14": [("access-key-age", D)],
    "1.21": [("console-no-mfa", S), ("console-and-active-key", S)],
}

CIS_AWS_5: Controls = {
    "1.3": [("root-access-key-active", D)],
    "1.4": [("root-console-no-mfa", D)],
    "1.5": [],
    "1.6": [("root-recent-use", D)],
    "1.9": [("console-no-mfa", D)],
    "1.10": [("setup-key-never-used", D)],
    "1.11": [("password-unused", D), ("access-key-unused", D)],
    "1.12": [("two-active-keys", D)],
    "1.13": [("access-key-age", D)],
    "1.20": [("console-no-mfa", S), ("console-and-active-key", S)],
}

CIS_AWS_6: Controls = {
    "2.3": [("root-access-key-active", D)],
    "2.4": [("root-console-no-mfa", D)],
    "2.5": [],
    "2.6": [("root-recent-use", D)],
    "2.9": [("console-no-mfa", D)],
    "2.10": [("setup-key-never-used", D)],
    "2.11": [("password-unused", D), ("access-key-unused", D)],
    "2.12": [("two-active-keys", D)],
    "2.13": [("access-key-age", D)],
    "2.20": [("console-no-mfa", S), ("console-and-active-key", S)],
}

CIS_AWS_7: Controls = {
    "2.1.1": [("root-credentials-present", S)],
    "2.4": [("root-access-key-active", D)],
    "2.5": [("root-console-no-mfa", D)],
    "2.6": [],
    "2.7": [("root-recent-use", D)],
    "2.10": [("console-no-mfa", D)],
    "2.11": [("password-unused", D), ("access-key-unused", D)],
    "2.12": [("access-key-age", D)],
    "2.19": [("console-no-mfa", S), ("console-and-active-key", S)],
}

# Safeguard 5.3: dormant after 45 days of inactivity. The same 45 days hold all through the framework.
CIS_CONTROLS_8_1: Controls = {
    "4.7": [
        ("root-access-key-active", S),
        ("root-recent-use", S),
        ("root-credentials-present", S),
    ],
    "5.1": [
        ("account-not-collected", S),
        ("population-mismatch", S),
        ("no-visible-credentials", S),
    ],
    "5.3": [
        (INACTIVE_OVER_45, D),
        (PASSWORD_UNUSED_OVER_45, S),
        (KEY_UNUSED_OVER_45, S),
    ],
    "5.5": [("console-and-active-key", S), (KEY_UNUSED_OVER_45, S)],
    "6.2": [(INACTIVE_OVER_45, S)],
    "6.3": [("console-no-mfa", D), ("root-console-no-mfa", D)],
    "6.5": [("root-console-no-mfa", D), ("console-no-mfa", S)],
    "6.7": [("console-no-mfa", S)],
}

NIST_800_53_R5: Controls = {
    "AC-2": [
        ("user-inactive", S),
        ("no-visible-credentials", S),
        ("generic-username", S),
    ],
    "AC-2(3)": [
        ("user-inactive", D),
        ("password-unused", S),
        ("access-key-unused", S),
    ],
    "AC-6(5)": [("root-recent-use", S), ("root-access-key-active", S)],
    "CA-7": [("report-stale", S), ("account-not-collected", S)],
    "IA-2(1)": [("root-console-no-mfa", D), ("console-no-mfa", S)],
    "IA-2(2)": [("console-no-mfa", D)],
    "IA-2(5)": [("root-recent-use", S), ("generic-username", S)],
    "IA-2(6)": [("console-no-mfa", S)],
    "IA-2(8)": [("console-no-mfa", S)],
    "IA-5": [
        ("access-key-age", S),
        ("two-active-keys", S),
        ("setup-key-never-used", S),
        ("signing-cert-active", S),
    ],
}

NIST_CSF_2_0: Controls = {
    "DE.CM-03": [("root-recent-use", S)],
    "PR.AA-01": [
        ("user-inactive", D),
        ("access-key-age", D),
        ("access-key-unused", D),
        ("password-unused", D),
        ("two-active-keys", D),
        ("root-access-key-active", D),
        ("console-no-mfa", S),
    ],
    "PR.AA-03": [("console-no-mfa", D), ("root-console-no-mfa", D)],
    "PR.AA-05": [("root-recent-use", S), ("user-inactive", S)],
}

NIST_800_171_R2: Controls = {
    "3.1.1": [("user-inactive", S), ("no-visible-credentials", S)],
    "3.1.5": [("root-access-key-active", S), ("root-recent-use", S)],
    "3.5.1": [("generic-username", S)],
    "3.5.2": [("console-no-mfa", S)],
    "3.5.3": [("console-no-mfa", D), ("root-console-no-mfa", D)],
    "3.5.4": [("console-no-mfa", S)],
    "3.5.6": [
        ("user-inactive", D),
        ("password-unused", S),
        ("access-key-unused", S),
    ],
}

NIST_800_171_R3: Controls = {
    "03.01.01": [
        ("user-inactive", D),
        ("password-unused", S),
        ("access-key-unused", S),
    ],
    "03.05.03": [("console-no-mfa", D), ("root-console-no-mfa", D)],
    "03.05.04": [("console-no-mfa", S)],
    "03.05.12": [("access-key-age", S), ("setup-key-never-used", S)],
}

SOC2_TSC_2017: Controls = {
    "CC6.1": [
        ("console-no-mfa", D),
        ("root-console-no-mfa", D),
        ("root-access-key-active", D),
    ],
    "CC6.2": [
        ("user-inactive", S),
        ("password-unused", S),
        ("access-key-unused", S),
        ("access-key-age", S),
    ],
    "CC6.3": [("user-inactive", S), ("no-visible-credentials", S)],
    "CC6.6": [("console-no-mfa", S), ("root-console-no-mfa", S)],
}

HIPAA_SECURITY_RULE_2013: Controls = {
    "164.308(a)(1)(ii)(D)": [("root-recent-use", S)],
    "164.308(a)(3)(ii)(C)": [("user-inactive", S)],
    "164.308(a)(4)(ii)(C)": [
        ("user-inactive", S),
        ("access-key-unused", S),
        ("password-unused", S),
    ],
    "164.308(a)(5)(ii)(D)": [
        ("single-factor-password-age", S),
        ("initial-password-unchanged", S),
    ],
    "164.312(a)(2)(i)": [("generic-username", S), ("root-recent-use", S)],
    "164.312(d)": [("console-no-mfa", S), ("root-console-no-mfa", S)],
}

# FedRAMP's own values: inactivity 90 days in Moderate, 35 in High, and AC-2(3) not in Low.
FEDRAMP_LOW_R5: Controls = {
    "AC-2(j)": [("user-inactive", S), ("no-visible-credentials", S)],
    "IA-2(1)": [("root-console-no-mfa", D), ("console-no-mfa", S)],
    "IA-2(2)": [("console-no-mfa", D)],
}

FEDRAMP_MODERATE_R5: Controls = {
    "AC-2(3)": [("user-inactive", D)],
    "AC-2(j)": [("user-inactive", S), ("no-visible-credentials", S)],
    "IA-2(1)": [("root-console-no-mfa", D), ("console-no-mfa", S)],
    "IA-2(2)": [("console-no-mfa", D)],
    "IA-2(6)": [("console-no-mfa", S)],
}

FEDRAMP_HIGH_R5: Controls = {
    "AC-2(3)": [(INACTIVE_OVER_35, D)],
    "AC-2(j)": [(INACTIVE_OVER_35, S), ("no-visible-credentials", S)],
    "IA-2(1)": [("root-console-no-mfa", D), ("console-no-mfa", S)],
    "IA-2(2)": [("console-no-mfa", D)],
    "IA-2(6)": [("console-no-mfa", S)],
}

FEDRAMP_20X_2026_07: Controls = {
    "KSI-IAM-AAM": [("user-inactive", S), ("access-key-unused", S)],
    "KSI-IAM-APM": [("console-no-mfa", S), ("root-console-no-mfa", S)],
    "KSI-IAM-SNU": [("access-key-age", S), ("two-active-keys", S)],
}

NIS2_2022_2555: Controls = {
    "Art. 21(2)(i)": [("user-inactive", S), ("root-access-key-active", S)],
    "Art. 21(2)(j)": [("console-no-mfa", D), ("root-console-no-mfa", D)],
}

NIS2_CIR_2024_2690: Controls = {
    "11.2.3": [("user-inactive", S)],
    "11.3.2(a)": [("root-console-no-mfa", D), ("console-no-mfa", S)],
    "11.3.3": [("root-recent-use", S), ("root-credentials-present", S)],
    "11.5.3": [("root-recent-use", S), ("generic-username", S)],
    "11.5.4": [("user-inactive", D), ("no-visible-credentials", S)],
    "11.6.2(c)": [("access-key-age", S), ("initial-password-unchanged", S)],
    "11.7.1": [("console-no-mfa", D), ("root-console-no-mfa", D)],
    "11.7.2": [("console-no-mfa", S)],
}

# RTS: Delegated Regulation (EU) 2024/1774.
DORA_2022_2554: Controls = {
    "Art. 9(4)(c)": [("user-inactive", S), ("root-access-key-active", S)],
    "Art. 9(4)(d)": [("console-no-mfa", D), ("root-console-no-mfa", D)],
    "RTS Art. 20(2)(a)": [("generic-username", S), ("root-recent-use", S)],
    "RTS Art. 20(2)(b)": [("user-inactive", S), ("no-visible-credentials", S)],
    "RTS Art. 21(c)": [("root-recent-use", S), ("generic-username", S)],
    "RTS Art. 21(e)(iv)": [("user-inactive", S)],
    "RTS Art. 21(f)(ii)": [("console-no-mfa", D), ("root-console-no-mfa", D)],
}

GDPR_2016_679: Controls = {
    "Art. 32(1)(b)": [
        ("console-no-mfa", S),
        ("root-access-key-active", S),
        ("user-inactive", S),
    ],
    "Art. 32(1)(d)": [("report-stale", S)],
}

# AWS's own profile: credentials unused for more than 90 days.
AWS_FSBP_1_0_0: Controls = {
    "IAM.3": [("access-key-age", D)],
    "IAM.4": [("root-access-key-active", D)],
    "IAM.5": [("console-no-mfa", D)],
    "IAM.6": [],
    "IAM.8": [(PASSWORD_UNUSED_OVER_90, D), (KEY_UNUSED_OVER_90, D)],
}

AWS_WELL_ARCHITECTED_2026: Controls = {
    "SEC01-BP02": [
        ("root-console-no-mfa", D),
        ("root-access-key-active", D),
        ("root-recent-use", D),
        ("root-credentials-present", S),
    ],
    "SEC02-BP01": [("console-no-mfa", D)],
    "SEC02-BP02": [("console-and-active-key", S), ("programmatic-no-mfa", S)],
    "SEC02-BP04": [("console-no-mfa", S)],
    "SEC02-BP05": [
        ("access-key-age", D),
        (KEY_UNUSED_OVER_90, D),
        (PASSWORD_UNUSED_OVER_90, D),
    ],
    "SEC03-BP04": [("user-inactive", S), (KEY_UNUSED_OVER_90, S)],
    "SEC03-BP06": [("user-inactive", S), ("no-visible-credentials", S)],
}

MAPPINGS: dict[str, Controls] = {
    "aws-fsbp-1.0.0": AWS_FSBP_1_0_0,
    "aws-well-architected-2026": AWS_WELL_ARCHITECTED_2026,
    "cis-aws-1.5.0": CIS_AWS_1_5_TO_4,
    "cis-aws-2.0.0": CIS_AWS_1_5_TO_4,
    "cis-aws-3.0.0": CIS_AWS_1_5_TO_4,
    "cis-aws-4.0.1": CIS_AWS_1_5_TO_4,
    "cis-aws-5.0.0": CIS_AWS_5,
    "cis-aws-6.0.0": CIS_AWS_6,
    "cis-aws-7.0.0": CIS_AWS_7,
    "cis-controls-8.1": CIS_CONTROLS_8_1,
    "dora-2022-2554": DORA_2022_2554,
    "fedramp-20x-2026.07": FEDRAMP_20X_2026_07,
    "fedramp-high-r5": FEDRAMP_HIGH_R5,
    "fedramp-low-r5": FEDRAMP_LOW_R5,
    "fedramp-moderate-r5": FEDRAMP_MODERATE_R5,
    "gdpr-2016-679": GDPR_2016_679,
    "hipaa-security-rule-2013": HIPAA_SECURITY_RULE_2013,
    "iso-27001-2022": ISO_27001_2022,
    "nis2-2022-2555": NIS2_2022_2555,
    "nis2-cir-2024-2690": NIS2_CIR_2024_2690,
    "nist-800-171-r2": NIST_800_171_R2,
    "nist-800-171-r3": NIST_800_171_R3,
    "nist-800-53-r5": NIST_800_53_R5,
    "nist-csf-2.0": NIST_CSF_2_0,
    "pci-dss-4.0.1": PCI_DSS_4_0_1,
    "soc2-tsc-2017": SOC2_TSC_2017,
}

# Ids that nothing in a credential report shows; a catalog has to say so rather than leave them out.
NOT_EVIDENCED: dict[str, set[str]] = {
    "pci-dss-4.0.1": {
        *("7.2.1", "7.2.2", "7.2.3", "7.2.5", "7.2.6"),
        *("8.2.3", "8.2.7", "8.2.8"),
        *("8.3.2", "8.3.3", "8.3.4", "8.3.6", "8.3.7", "8.3.8", "8.3.11", "8.6.2"),
        *("10.2.1.2", "10.2.1.4", "10.2.1.5", "10.4.1", "10.5.1"),
    },
    "iso-27001-2022": {"A.5.3", "A.8.15", "A.8.18"},
}

# Controls of ISO/IEC 27001:2022, Annex A, and where the 2013 edition had them.
ISO_2013: dict[str, list[str]] = {
    "A.5.15": ["A.9.1.1", "A.9.1.2"],
    "A.5.16": ["A.9.2.1"],
    "A.5.17": ["A.9.2.4", "A.9.3.1", "A.9.4.3"],
    "A.5.18": ["A.9.2.2", "A.9.2.5", "A.9.2.6"],
    "A.5.28": ["A.16.1.7"],
    "A.5.33": ["A.18.1.3"],
    "A.5.36": ["A.18.2.2", "A.18.2.3"],
    "A.8.2": ["A.9.2.3"],
    "A.8.3": ["A.9.4.1"],
    "A.8.5": ["A.9.4.2"],
    "A.8.15": ["A.12.4.1", "A.12.4.2", "A.12.4.3"],
    "A.8.18": ["A.9.4.4"],
    "A.8.34": ["A.12.7.1"],
}

# How long, and from which day on, by framework: what an assessor asks first. Checks with days only.
_UNUSED_45 = {"password-unused": "45 days or more", "access-key-unused": "45 days or more"}
_UNUSED_OVER_45 = {"password-unused": "more than 45 days", "access-key-unused": "more than 45 days"}
_UNUSED_OVER_90 = {"password-unused": "more than 90 days", "access-key-unused": "more than 90 days"}
_INACTIVE_OVER_90 = {"user-inactive": "more than 90 days"}
_KEY_AGE_OVER_90 = {"access-key-age": "more than 90 days"}
_PASSWORD_AGE_OVER_90 = {"single-factor-password-age": "more than 90 days"}
_ROOT_USE_90 = {"root-recent-use": "within 90 days"}

THRESHOLDS: dict[str, dict[str, str]] = {
    "aws-fsbp-1.0.0": _UNUSED_OVER_90 | _KEY_AGE_OVER_90,
    "aws-well-architected-2026": (
        _UNUSED_OVER_90 | _KEY_AGE_OVER_90 | _INACTIVE_OVER_90 | _ROOT_USE_90
    ),
    "cis-aws-1.5.0": _UNUSED_45 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "cis-aws-2.0.0": _UNUSED_45 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "cis-aws-3.0.0": _UNUSED_45 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "cis-aws-4.0.1": _UNUSED_45 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "cis-aws-5.0.0": _UNUSED_45 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "cis-aws-6.0.0": _UNUSED_45 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "cis-aws-7.0.0": _UNUSED_45 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "cis-controls-8.1": _UNUSED_OVER_45 | {"user-inactive": "more than 45 days"} | _ROOT_USE_90,
    "dora-2022-2554": _INACTIVE_OVER_90 | _ROOT_USE_90,
    "fedramp-20x-2026.07": (
        _INACTIVE_OVER_90 | {"access-key-unused": "45 days or more"} | _KEY_AGE_OVER_90
    ),
    "fedramp-high-r5": {"user-inactive": "more than 35 days"},
    "fedramp-low-r5": _INACTIVE_OVER_90,
    "fedramp-moderate-r5": _INACTIVE_OVER_90,
    "gdpr-2016-679": _INACTIVE_OVER_90,
    "hipaa-security-rule-2013": (
        _UNUSED_45 | _INACTIVE_OVER_90 | _PASSWORD_AGE_OVER_90 | _ROOT_USE_90
    ),
    "iso-27001-2022": (
        _UNUSED_45 | _INACTIVE_OVER_90 | _KEY_AGE_OVER_90 | _PASSWORD_AGE_OVER_90 | _ROOT_USE_90
    ),
    "nis2-2022-2555": _INACTIVE_OVER_90,
    "nis2-cir-2024-2690": _INACTIVE_OVER_90 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "nist-800-171-r2": _UNUSED_45 | _INACTIVE_OVER_90 | _ROOT_USE_90,
    "nist-800-171-r3": _UNUSED_45 | _INACTIVE_OVER_90 | _KEY_AGE_OVER_90,
    "nist-800-53-r5": _UNUSED_45 | _INACTIVE_OVER_90 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "nist-csf-2.0": _UNUSED_45 | _INACTIVE_OVER_90 | _KEY_AGE_OVER_90 | _ROOT_USE_90,
    "pci-dss-4.0.1": (
        _UNUSED_OVER_90
        | _INACTIVE_OVER_90
        | _KEY_AGE_OVER_90
        | _PASSWORD_AGE_OVER_90
        | _ROOT_USE_90
    ),
    "soc2-tsc-2017": _UNUSED_45 | _INACTIVE_OVER_90 | _KEY_AGE_OVER_90,
}
