"""How specific a technique's name is: whether writing it means the technique.

Three classes, so that names which a newer release brings fall into one by themselves:

- *phrase*: two words or more, unless listed as ordinary. Hardly anyone writes "process hollowing"
  or "Data Encrypted for Impact" and means something else, so it counts anywhere.
- *word*: one word. "Proxy", "Phishing", "Server" are everyday words, so it counts only where the
  text presents it as a technique; a few that were coined for the technique count anywhere.
- *ordinary*: phrases of everyday IT language ("multi-factor authentication", "email accounts"),
  and products and protocols ("Remote Desktop Protocol"). They are treated like words.

The lists were drawn up by reading, for each name, how often it occurs in reports without the
technique being meant; ``bench/explicit_names.py`` measures the classes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from engine.recognizers.mentions.names import key_of

Specificity = Literal["phrase", "word"]

_COINED = "Kerberoasting, DCSync, Timestomp, ListPlanting, Timestomping"

_ORDINARY = """
Artificial Intelligence, Bash History, Bidirectional Communication, Data Manipulation,
Delay Execution, Embedded Payloads, Encrypted Channel, Hybrid Identity, Inter-Process Communication,
Malicious Library, Mutual Exclusion, Network Topology, Office Test, SAML Tokens, Upload Malware,
Upload Tool, Wi-Fi Networks,

AppleScript, Browser Extensions, Business Relationships,
Client Configurations, Cloud Account, Cloud Accounts, Cloud API, Cloud Groups, Cloud Service,
Cloud Services, Code Repositories, Code Signing, Code Signing Certificates, Command-Line Interface,
Commonly Used Port, Compiled HTML File, Component Object Model,
Container API, Container Service, Control Panel, Create Account,
Data Compressed, Data Encrypted, Default Accounts, Device Registration, Digital Certificates,
Direct Volume Access, DNS Server, DNS Servers, Domain Account, Domain Accounts, Domain Groups,
Domain Properties, Domain Registrar, Domain Registration, Double File Extension, Email Account,
Email Accounts, Email Addresses, Employee Names, External Proxy, File Transfer,
File Transfer Protocols, Graphical User Interface, Group Policy Modification,
Group Policy Preferences, Hidden Users, Hidden Window,
Installer Packages, Internal Proxy, IP Addresses, JavaScript, Kernel Modules and Extensions,
Launch Agent, Launch Daemon, Local Account, Local Accounts, Local Groups,
Local Email Collection, Login Item, Login Items, Logon Script, LSA Secrets, Mail Protocols,
Malicious File, Malicious Image, Malicious Link, Messaging Applications, Messaging Services,
Multi-Factor Authentication, Multi-Factor Authentication Modification,
Network Devices, Network Provider, Network Security Appliances,
New Service, Office Application Startup, Office Template Macros, Outlook Forms, Outlook Rules,
Outlook Home Page, Password Managers, Password Policy, Physical Locations, Physical Medium,
Plist File Modification, Port Monitors, Print Processors, Private Keys,
Publish/Subscribe Protocols, Purchase Technical Data, Remote Access Software, Remote Access Tools,
Remote Desktop Protocol, Remote Desktop Software, Remote Services, Remote Email Collection,
Run Virtual Instance, SSH Authorized Keys, Search Engines,
Security Account Manager, Server Software Component, Service Execution,
Shared Modules, SMB/Windows Admin Shares, Social Media,
Social Media Accounts, Software Deployment Tools, SQL Stored Procedures,
Startup Items, Static Content, System Checks, System Firmware, System Services,
Systemd Service, Systemd Timers, Terminal Services DLL,
Time Providers, Trusted Developer Utilities, Unix Shell,
Virtual Private Server, Visual Basic, Vulnerability Scanning, Web Protocols, Web Service,
Web Services, Web Session Cookie, Windows Admin Shares, Windows Command Shell,
Windows Credential Manager, Windows Management Instrumentation, Windows Remote Management,
Windows Service, Wordlist Scanning, XPC Services
"""

# Names that two techniques bear though one of them is nearly always meant.
PREFERRED = {
    key_of("Spearphishing Attachment"): "T1566.001",
    key_of("Spear phishing Attachment"): "T1566.001",
    key_of("Spearphishing Link"): "T1566.002",
    key_of("Spear phishing Link"): "T1566.002",
}


@lru_cache(maxsize=1)
def _lists() -> tuple[frozenset[str], frozenset[str]]:
    coined, ordinary = (
        frozenset(key_of(name) for name in names.split(",")) for names in (_COINED, _ORDINARY)
    )
    return coined, ordinary


def specificity(key: str) -> Specificity:
    """Say whether a name counts anywhere ("phrase") or only in context ("word").

    Parameters
    ----------
    key : str
        As `engine.recognizers.mentions.names.key_of` gives it.
    """
    coined, ordinary = _lists()
    if key in coined:
        return "phrase"
    if " " not in key or key in ordinary:
        return "word"
    return "phrase"
