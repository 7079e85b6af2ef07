#!/usr/bin/env bash
# A shop's orders through the AWS CLI: shorthand syntax, JMESPath, the CLI's own pages. Prints what it saw as one
# JSON object. The CLI merges pages itself, so their number is not told; the other steps are those of the SDKs.
set -euo pipefail
table=$1 archive=$2 archived=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export AWS_PAGER=

db() { aws dynamodb "$@" --output json; }

# What the CLI says when the call is refused, without the words in which it says so.
refusal() {
  if db "$@" >"$scratch/out" 2>"$scratch/err"; then echo "not refused: $*" >&2; exit 1; fi
  sed -n 's/.*An error occurred (\(.*\)) when calling the \(.*\) operation: \(.*\)/\1: \3/p' "$scratch/err"
}

order() { # customer, number
  local status=shipped
  [ $(($2 % 3)) -ne 0 ] || status=open
  printf '{"customer": {"S": "%s"}, "order": {"S": "o%02d"}, "total": {"N": "%d.5"}, "status": {"S": "%s"},' \
    "$1" "$2" $(($2 * 7 % 20)) "$status"
  printf '"note": {"S": "Größe 42, ¥"}, "lines": {"L": [{"M": {"sku": {"S": "ski"}, "quantity": {"N": "%d"}}}]},' "$2"
  printf '"tags": {"SS": ["gift", "été"]}, "receipt": {"B": "%s"}, "paid": {"BOOL": false}, "coupon": {"NULL": true}}' \
    "receipt $2"
}

db create-table --table-name "$table" --billing-mode PAY_PER_REQUEST \
  --attribute-definitions AttributeName=customer,AttributeType=S AttributeName=order,AttributeType=S \
    AttributeName=total,AttributeType=N \
  --key-schema AttributeName=customer,KeyType=HASH AttributeName=order,KeyType=RANGE \
  --local-secondary-indexes 'IndexName=by-total,KeySchema=[{AttributeName=customer,KeyType=HASH},{AttributeName=total,KeyType=RANGE}],Projection={ProjectionType=INCLUDE,NonKeyAttributes=[status]}' \
  >"$scratch/out"
db wait table-exists --table-name "$table"
described=$(db describe-table --table-name "$table" \
  --query 'Table.{status: TableStatus, sort_key: KeySchema[1].AttributeName, index: LocalSecondaryIndexes[0].IndexName}')

# 20 orders of each customer, a batch for each.
left=0
for customer in c0 c1 c2; do
  {
    printf '{"%s": [' "$table"
    for number in {0..19}; do
      [ "$number" -eq 0 ] || printf ,
      printf '{"PutRequest": {"Item": %s}}' "$(order "$customer" "$number")"
    done
    printf ']}'
  } >"$scratch/batch.json"
  refused=$(db batch-write-item --request-items "file://$scratch/batch.json" --query 'length(keys(UnprocessedItems))')
  left=$((left + refused))
done
written=$((60 - left))

open=$(db query --table-name "$table" --consistent-read --page-size 6 \
  --key-condition-expression 'customer = :c' --filter-expression '#s = :open' \
  --expression-attribute-names '{"#s": "status"}' \
  --expression-attribute-values '{":c": {"S": "c1"}, ":open": {"S": "open"}}' \
  --query '{orders: Items[].order.S, examined: ScannedCount}')

latest=$(db query --table-name "$table" --consistent-read --no-scan-index-forward --max-items 3 \
  --key-condition-expression 'customer = :c AND begins_with(#o, :prefix)' \
  --expression-attribute-names '#o=order' \
  --expression-attribute-values '{":c": {"S": "c1"}, ":prefix": {"S": "o1"}}' \
  --query 'Items[].order.S')

by_total=$(db query --table-name "$table" --index-name by-total --consistent-read \
  --key-condition-expression 'customer = :c AND #t BETWEEN :low AND :high' \
  --expression-attribute-names '#t=total' \
  --expression-attribute-values '{":c": {"S": "c2"}, ":low": {"N": "5"}, ":high": {"N": "9"}}' \
  --query 'Items[].[order.S, to_number(total.N), status.S]')

read=$(db get-item --table-name "$table" --consistent-read \
  --key '{"customer": {"S": "c0"}, "order": {"S": "o05"}}' \
  --query 'Item.{receipt: receipt.B, tags: sort(tags.SS), quantity: to_number(lines.L[0].M.quantity.N), note: note.S, paid: paid.BOOL}')

refused=$(refusal put-item --table-name "$table" --item "$(order c0 3)" \
  --condition-expression 'attribute_not_exists(customer)')

updated=$(db update-item --table-name "$table" --key '{"customer": {"S": "c0"}, "order": {"S": "o04"}}' \
  --update-expression 'SET #s = :paid, #l[0].quantity = #l[0].quantity + :more ADD visits :more REMOVE note' \
  --condition-expression 'attribute_exists(note) AND NOT #s = :paid' \
  --expression-attribute-names '#s=status,#l=lines' \
  --expression-attribute-values '{":paid": {"S": "paid"}, ":more": {"N": "2"}}' --return-values UPDATED_NEW \
  --query 'Attributes.{names: sort(keys(@)), status: status.S, visits: to_number(visits.N), quantity: to_number(lines.L[0].M.quantity.N)}')

# A scan in two runs: the CLI stops after 25 items and hands out its own token.
db scan --table-name "$table" --consistent-read --page-size 10 --max-items 25 >"$scratch/first.json"
token=$(sed -n 's/.*"NextToken": "\(.*\)".*/\1/p' "$scratch/first.json")
first=$(grep -c '"order"' "$scratch/first.json")
rest=$(db scan --table-name "$table" --consistent-read --page-size 10 --starting-token "$token" --query 'length(Items)')

keys=
for ((number = 0; number < archived; number++)); do keys+=",{\"id\": {\"N\": \"$number\"}}"; done
asked="{\"$archive\": {\"Keys\": [${keys#,}], \"ConsistentRead\": true, \"ProjectionExpression\": \"id\"}}"
fetched=$(db batch-get-item --request-items "$asked" \
  --query "{fetched: length(Responses.$archive), left: length(UnprocessedKeys.$archive.Keys)}")

invalid=$(refusal put-item --table-name "$table" --item '{"customer": {"S": "c0"}}')

db delete-table --table-name "$table" >"$scratch/out"
db wait table-not-exists --table-name "$table"
dropped=$(refusal describe-table --table-name "$table")

cat <<JSON
{
  "table": $described, "written": $written, "open": $open, "latest": $latest, "by_total": $by_total, "read": $read,
  "refused": "$refused", "updated": $updated, "scan": [$first, $rest], "archive": $fetched,
  "invalid": "$invalid", "dropped": "$dropped"
}
JSON
