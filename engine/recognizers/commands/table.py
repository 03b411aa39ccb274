"""What command lines stand for.

Drawn up from what the programs do, by their vendors' documentation and by the descriptions of
ATT&CK's techniques, and not from labelled reports: those measure it (docs/models/commands.md). Ids
are those of ATT&CK 18; they are taken through the knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping

# Programs whose run shows a technique whatever the arguments; without .exe, where that is no part
# of what one types.
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    # Execution
    "T1047": ("wmic", "wmiexec", "wmiexec.py"),
    "T1053.002": ("at.exe",),
    "T1053.003": ("crontab",),
    "T1053.005": ("schtasks",),
    "T1569.002": ("psexec", "psexec64", "psexesvc", "paexec", "smbexec", "remcom", "csexec"),
    # Persistence and privilege escalation
    "T1546.008": ("sethc.exe", "utilman.exe"),
    "T1548.002": ("fodhelper", "computerdefaults.exe", "sdclt", "uacme"),
    "T1068": ("juicypotato", "printspoofer", "sweetpotato", "badpotato", "roguepotato"),
    # Defense evasion
    "T1127.001": ("msbuild",),
    "T1197": ("bitsadmin", "start-bitstransfer"),
    "T1218.001": ("hh.exe",),
    "T1218.003": ("cmstp",),
    "T1218.004": ("installutil",),
    "T1218.005": ("mshta",),
    "T1218.007": ("msiexec",),
    "T1218.010": ("regsvr32",),
    "T1218.011": ("rundll32",),
    "T1222.001": ("icacls", "cacls", "takeown"),
    "T1070.004": ("sdelete", "sdelete64"),
    "T1070.001": ("clear-eventlog", "remove-eventlog"),
    "T1562.001": ("set-mppreference", "add-mppreference"),
    # Credential access
    "T1003.001": ("nanodump", "lsassy", "out-minidump"),
    "T1003.002": ("pwdump", "pwdump7"),
    "T1003.003": ("ntdsutil",),
    "T1003": ("mimikatz", "invoke-mimikatz"),
    "T1110": ("kerbrute", "ncrack"),
    "T1552.006": ("get-gpppassword", "gpp-decrypt"),
    "T1555.003": ("webbrowserpassview", "chromepass"),
    "T1555.004": ("vaultcmd",),
    "T1557.001": ("ntlmrelayx", "ntlmrelayx.py", "inveigh"),
    "T1558.003": ("invoke-kerberoast", "getuserspns", "getuserspns.py"),
    # Discovery
    "T1016": ("ipconfig", "ifconfig", "nbtstat"),
    "T1018": ("get-adcomputer", "get-netcomputer", "get-domaincomputer"),
    "T1033": ("whoami", "quser", "qwinsta"),
    "T1046": ("nmap", "masscan", "zmap", "nbtscan"),
    "T1049": ("netstat", "get-nettcpconnection"),
    "T1057": ("tasklist",),
    "T1069.001": ("get-localgroup", "get-localgroupmember"),
    "T1069.002": ("get-adgroup", "get-adgroupmember", "get-netgroup", "get-domaingroupmember"),
    "T1082": ("systeminfo",),
    "T1087.002": ("get-aduser", "get-netuser", "get-domainuser", "adfind"),
    "T1135": ("invoke-sharefinder", "find-domainshare"),
    "T1482": ("get-adtrust", "get-nettrust", "get-netdomaintrust", "get-domaintrust"),
    # Lateral movement
    "T1021.001": ("mstsc",),
    "T1021.006": ("evil-winrm", "winrs", "enter-pssession", "new-pssession"),
    # Command and control, exfiltration
    "T1572": ("ngrok", "plink", "chisel", "cloudflared", "iodine", "dnscat2"),
    "T1567.002": ("rclone", "megasync", "megacmd"),
    "T1560.001": ("makecab", "compress-archive", "diantz"),
    # Impact
    "T1490": ("bcdedit", "wbadmin", "reagentc"),
    "T1496.001": ("xmrig",),
    "T1489": ("taskkill", "stop-service", "stop-vm"),
}

# Programs whose arguments decide. The pattern is looked for in what follows the program, up to the
# end of the command. A space stands for white space.
DOMAIN = r"/do(?:m|main)?\b"
COMMANDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "net|net1": (
        (r"^ users? (?=.*/add\b)(?!.*" + DOMAIN + ")", "T1136.001"),
        (r"^ users? (?=.*/add\b)(?=.*" + DOMAIN + ")", "T1136.002"),
        (r"^ users?(?!.*/(?:add|del|active))(?=.*" + DOMAIN + ")", "T1087.002"),
        (r"^ users?\W*$", "T1087.001"),
        (r"^ (?:local)?group (?=.*/add\b)", "T1098.007"),
        (r"^ localgroup\b(?!.*/(?:add|del))", "T1069.001"),
        (r"^ group\b(?!.*/(?:add|del))(?=.*" + DOMAIN + ")", "T1069.002"),
        (r"^ group .{0,3}domain (?:computers|controllers)", "T1018"),
        (r"^ view(?:\W*$| /)", "T1018"),
        (r"^ view \\\\", "T1135"),
        (r"^ share\W*$", "T1135"),
        (r"^ use (?:\S+ )?\\\\", "T1021.002"),
        (r"^ (?:use|share) .*/del", "T1070.005"),
        (r"^ accounts(?:\W*$| /)", "T1201"),
        (r"^ start\W*$", "T1007"),
        (r"^ stop ", "T1489"),
        (r"^ time(?:\W*$| [/\\])", "T1124"),
    ),
    "sc": (
        (r"^ (?:\\\\\S+ )?(?:create|config) ", "T1543.003"),
        (r"^ (?:\\\\\S+ )?query(?:ex)?\b", "T1007"),
        (r"^ (?:\\\\\S+ )?(?:stop|delete) ", "T1489"),
        (r"^ (?:stop|config|delete) \W?(?:windefend|sense|wdnissvc)\b", "T1562.001"),
    ),
    "reg": (
        (r"^ query ", "T1012"),
        (r"^ (?:add|delete|import) ", "T1112"),
        (r"^ add .*\\currentversion\\run", "T1547.001"),
        (r"^ (?:save|export) .*\b(?:sam|security)\b", "T1003.002"),
    ),
    "nltest": ((r"/(?:domain|all|trusted)_(?:trusts|domains)", "T1482"), (r"/dclist", "T1018")),
    "dsquery": ((r"^ (?:\*|user)", "T1087.002"), (r"^ computer", "T1018"),
                (r"^ group", "T1069.002")),
    "adfind": ((r"objectcategory=computer", "T1018"), (r"objectcategory=group", "T1069.002"),
               (r"trustdmp|trusteddomain", "T1482")),
    "arp": ((r"^ -a\b", "T1016"),),
    "route": ((r"^ print\b", "T1016"),),
    "netsh": (
        (r"^ (?:adv)?firewall ", "T1562.004"),
        (r"^ (?:interface|int) portproxy ", "T1090"),
        (r"^ wlan .*key=clear", "T1555"),
        (r"^ (?:interface|int|wlan) (?:\S+ )?show", "T1016"),
    ),
    "query": ((r"^ (?:user|session)\W*$", "T1033"),),
    "tasklist": ((r"^ /svc\b", "T1007"),),
    "wmic": (
        (r"^ .*\bprocess call create\b", "T1047"),
        (r"^ .*\bshadowcopy .*\bdelete\b", "T1490"),
        (r"^ process (?:get|list)", "T1057"),
        (r"^ (?:os|computersystem|logicaldisk|csproduct|bios)\b", "T1082"),
        (r"^ .*\bantivirusproduct\b", "T1518.001"),
        (r"^ product ", "T1518"),
        (r"^ useraccount\b", "T1087.001"),
    ),
    "vssadmin": (
        (r"^ (?:delete|resize)\b", "T1490"),
        (r"^ create shadow", "T1003.003"),
    ),
    "wevtutil": ((r"^ (?:cl|clear-log)\b", "T1070.001"),),
    "fsutil": ((r"^ usn deletejournal", "T1070"),),
    "cipher": ((r"^ /w\b", "T1070.004"),),
    "certutil": (
        (r"-(?:urlcache|verifyctl)\b", "T1105"),
        (r"-decode(?:hex)?\b", "T1140"),
    ),
    "bitsadmin": ((r"/(?:transfer|addfile)\b", "T1105"),),
    "curl|wget": (
        (r"^(?: -\S+(?: [^-\s]\S*)?){0,6} \W?h(?:tt|xx)ps?\[?:", "T1105"),
        (r"\| (?:/bin/)?(?:ba)?sh\b", "T1059.004"),
    ),
    "powershell|pwsh": (
        (r"^\W* -\w", "T1059.001"),
        (r"-e(?:c|nc|ncodedcommand)? [A-Za-z0-9+/=]{16,}|-encodedcommand\b", "T1027.010"),
        (r"-w(?:in|indowstyle)? hidden\b", "T1564.003"),
    ),
    "cmd": ((r"^\W* /[ckq]\b", "T1059.003"), (r"/c .*\b(?:ping|timeout|choice) .*\bdel\b",
                                               "T1070.004")),
    "wscript|cscript": ((r"\.vb[se]\b", "T1059.005"), (r"\.jse?\b", "T1059.007")),
    "python|python2|python3": ((r"^ -c |^ \S+\.py\b", "T1059.006"),),
    "bash|sh": ((r"^ -[ci]\b", "T1059.004"),),
    "attrib": ((r"^ .*\+[hs]\b", "T1564.001"),),
    "del": ((r"^ /[fqsa]\b", "T1070.004"),),
    "rm": ((r"^ -[rf]+\b", "T1070.004"), (r"^ (?:-\S+ )?/var/log\b", "T1070.002")),
    "shred": ((r"^ -", "T1070.004"),),
    "touch": ((r"^ -[rtd]\b", "T1070.006"),),
    "history": ((r"^ -c\b", "T1070.003"),),
    "chmod": ((r"^ (?:\+x|[0-7]{3,4}|[ugoa]\+x)\b", "T1222.002"),
              (r"^ (?:u\+s|[42][0-7]{3})\b", "T1548.001")),
    "chattr": ((r"^ [+-]\w", "T1222.002"),),
    "iptables": ((r"^ -[FDPAI]\b", "T1562.004"),),
    "ufw": ((r"^ disable\b", "T1562.004"),),
    "setenforce": ((r"^ 0\b", "T1562.001"),),
    "systemctl": ((r"^ enable\b", "T1543.002"), (r"^ (?:stop|disable) firewalld", "T1562.004")),
    "useradd|adduser": ((r"^ \S", "T1136.001"),),
    "insmod|modprobe": ((r"^ \S", "T1547.006"),),
    "uname": ((r"^ -[amrs]+\b", "T1082"),),
    "ps": ((r"^ -?(?:aux|ef)\b", "T1057"),),
    "cat": ((r"^ /etc/passwd\b", "T1087.001"), (r"^ /etc/shadow\b", "T1003.008")),
    "base64": ((r"^ (?:-d|--decode)\b", "T1140"),),
    "ssh": ((r"^ (?:\S+ ){0,3}-[NfRLD]+\b", "T1572"),),
    "docker": ((r"^ run\b", "T1610"), (r"^ ps\b", "T1613")),
    "kubectl": ((r"^ get\b", "T1613"), (r"^ exec\b", "T1609")),
    "7z|7za|7zr|rar|winrar": ((r"^ a (?:[-\"]|\S+\.\w)", "T1560.001"),),
    "tar": ((r"^ -?[a-z]*c[a-z]*f", "T1560.001"),),
    "shutdown": ((r"^ [/-][rsft]\b", "T1529"),),
    "esxcli": ((r"^ vm process kill", "T1489"), (r"^ vm process list", "T1673")),
    "pkill|killall": ((r"^ \S", "T1489"),),
    "procdump|procdump64": ((r"\blsass\b", "T1003.001"),),
    "rundll32": ((r"comsvcs(?:\.dll)?\W+(?:#?\+?24\b|minidump)", "T1003.001"),),
    "rubeus": ((r"\bkerberoast\b", "T1558.003"), (r"\basreproast\b", "T1558.004"),
               (r"\bptt\b", "T1550.003")),
    "cmdkey": ((r"^ /list\b", "T1555.004"),),
}  # fmt: skip
