#!/usr/bin/env bash
# ib_async's Trade.dict() is one level deep: with default=str, orders become sentences.
#
# Guess:   json.dumps(trade.dict(), default=str) is nested JSON, in which default=str only
#          turns datetimes into text; order.lmtPrice is a number.
# Seen:    dict() keeps the nested objects, and default=str turns each into its repr: order is
#          one string. dataclasses.asdict goes all the way down for a Trade; its fills, which
#          are named tuples, stay lists without names. A price that is not set is the largest
#          float in both.
# Output:  dict():   order = "LimitOrder(action='BUY', totalQuantity=100, lmtPrice=189.5)"
#          asdict(): order.lmtPrice = 189.5, order.auxPrice = 1.7976931348623157e+308
#          asdict(): fills[0] is a list of 4
# Pinned:  ib_async 2.1.0, Python 3.11
# Date:    2026-11-30
# Source:  ib_async/util.py, dataclassAsDict ("a non-recursive variant of dataclasses.asdict")
# Why:     the document is valid JSON and no consumer refuses it, but no rule can read a price
#          or a status in it; a limit on auxPrice is exceeded by every order without one.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check ib_async==2.1.0
got=$("$dir/venv/bin/python" - <<'PY'
import dataclasses, json
from datetime import datetime, timezone
from ib_async import CommissionReport, Execution, Fill, LimitOrder, OrderStatus, Stock, Trade

at = datetime(2026, 11, 29, 7, 22, 49, tzinfo=timezone.utc)
stock = Stock("AAPL", "SMART", "USD")
fill = Fill(stock, Execution(execId="0001", time=at, shares=100, price=189.5), CommissionReport("0001", 1.0, "USD"), at)
trade = Trade(stock, LimitOrder("BUY", 100, 189.5), OrderStatus(status="Filled"), [fill], [])
shallow = json.loads(json.dumps(trade.dict(), default=str))
deep = json.loads(json.dumps(dataclasses.asdict(trade), default=str))
print("dict():   order =", json.dumps(shallow["order"]))
print("asdict(): order.lmtPrice = %r, order.auxPrice = %r" % (deep["order"]["lmtPrice"], deep["order"]["auxPrice"]))
print("asdict(): fills[0] is a %s of %d" % (type(deep["fills"][0]).__name__, len(deep["fills"][0])))
PY
)
want=$(cat <<'TXT'
dict():   order = "LimitOrder(action='BUY', totalQuantity=100, lmtPrice=189.5)"
asdict(): order.lmtPrice = 189.5, order.auxPrice = 1.7976931348623157e+308
asdict(): fills[0] is a list of 4
TXT
)
printf '%s\n' "$got"
diff <(printf '%s\n' "$want") <(printf '%s\n' "$got")
