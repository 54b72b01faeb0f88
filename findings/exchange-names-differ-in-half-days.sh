#!/usr/bin/env bash
# One exchange under two names of pandas_market_calendars has two calendars.
#
# Guess:   "HKEX" and "XHKG" are aliases, as are "EUREX" and "XEUR": the same sessions, with
#          the same early closes as in exchange_calendars.
# Seen:    by its market identifier an exchange has exchange_calendars' sessions, by its short
#          name those of a calendar of its own. HKEX has no half days: on the eves of New Year,
#          Lunar New Year and Christmas it closes at 16:00 and XHKG at 12:00, Hong Kong time.
#          EUREX trades on 24 and 31 December and not on 28 December 2026, XEUR the reverse.
#          NYSE and XNYS, LSE and XLON agree.
# Output:  HKEX   2026-02-16 08:00   2026-12-24 08:00   2026-12-31 08:00
#          XHKG   2026-02-16 04:00   2026-12-24 04:00   2026-12-31 04:00
#          EUREX  21 22 23 24 29 30 31
#          XEUR   21 22 23 28 29 30
#          NYSE and XNYS differ on 0 days, LSE and XLON on 0 days
# Pinned:  pandas_market_calendars 5.5.0, exchange_calendars 4.13.2, pandas 3.1.1
# Date:    2026-11-30
# Source:  https://github.com/rsheftel/pandas_market_calendars, "Calendars" (two sources of
#          calendars); HKEX, "Trading Hours" (no afternoon session on the three eves)
# Why:     "no fills in market hours" is judged by such a calendar. With the wrong name of the
#          same exchange it alerts on an afternoon without a market, or is silent on a trading day.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
{ python3 -m venv venv && venv/bin/pip install -q pandas_market_calendars==5.5.0 exchange_calendars==4.13.2 pandas==3.1.1; } >/dev/null 2>&1
cat >calendars.py <<'PY'
import warnings
warnings.simplefilter("ignore")
import pandas_market_calendars as mc

def year(name):
    return mc.get_calendar(name).schedule("2026-01-01", "2026-12-31")

for name in ("HKEX", "XHKG"):
    s = year(name)
    print(f"{name:6}", "   ".join(f"{d} {s.loc[d, 'market_close']:%H:%M}" for d in ("2026-02-16", "2026-12-24", "2026-12-31")))
for name in ("EUREX", "XEUR"):
    print(f"{name:6}", *(f"{d:%d}" for d in year(name)["2026-12-20":].index))

def differ(a, b):
    a, b = year(a)["market_close"], year(b)["market_close"]
    days = a.index.union(b.index)
    return int((a.reindex(days) != b.reindex(days)).sum())

print(f"NYSE and XNYS differ on {differ('NYSE', 'XNYS')} days, LSE and XLON on {differ('LSE', 'XLON')} days")
PY
got=$(venv/bin/python calendars.py)
printf '%s\n' "$got"
want='HKEX   2026-02-16 08:00   2026-12-24 08:00   2026-12-31 08:00
XHKG   2026-02-16 04:00   2026-12-24 04:00   2026-12-31 04:00
EUREX  21 22 23 24 29 30 31
XEUR   21 22 23 28 29 30
NYSE and XNYS differ on 0 days, LSE and XLON on 0 days'
diff <(printf '%s\n' "$want") <(printf '%s\n' "$got")
