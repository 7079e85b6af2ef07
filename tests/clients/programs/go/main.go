// A shop's orders through the AWS SDK for Go v2. Prints what it saw as one JSON object.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

const (
	batch    = 25
	segments = 4
	patience = 30 * time.Second
)

type line struct {
	Sku      string `dynamodbav:"sku"`
	Quantity int    `dynamodbav:"quantity"`
}

type order struct {
	Customer string   `dynamodbav:"customer"`
	Order    string   `dynamodbav:"order"`
	Total    float64  `dynamodbav:"total"`
	Status   string   `dynamodbav:"status"`
	Note     string   `dynamodbav:"note"`
	Lines    []line   `dynamodbav:"lines"`
	Tags     []string `dynamodbav:"tags,stringset"`
	Receipt  []byte   `dynamodbav:"receipt"`
	Paid     bool     `dynamodbav:"paid"`
	Coupon   *string  `dynamodbav:"coupon"`
}

type shop struct {
	context.Context
	db    *dynamodb.Client
	table *string
}

type object map[string]any

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func all[T any](items []map[string]types.AttributeValue) []T {
	var found []T
	must(0, attributevalue.UnmarshalListOfMaps(items, &found))
	return found
}

func key(customer, order string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"customer": &types.AttributeValueMemberS{Value: customer},
		"order":    &types.AttributeValueMemberS{Value: order},
	}
}

func keySchema(hash, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: &hash, KeyType: types.KeyTypeHash},
		{AttributeName: &sort, KeyType: types.KeyTypeRange},
	}
}

func (s shop) create() object {
	attribute := func(name string, kind types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: kind}
	}
	must(s.db.CreateTable(s, &dynamodb.CreateTableInput{
		TableName: s.table,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute("customer", types.ScalarAttributeTypeS),
			attribute("order", types.ScalarAttributeTypeS),
			attribute("total", types.ScalarAttributeTypeN),
		},
		KeySchema: keySchema("customer", "order"),
		LocalSecondaryIndexes: []types.LocalSecondaryIndex{{
			IndexName:  aws.String("by-total"),
			KeySchema:  keySchema("customer", "total"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"status"}},
		}},
		BillingMode: types.BillingModePayPerRequest,
	}))
	waiter := dynamodb.NewTableExistsWaiter(s.db, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, time.Second
	})
	table := must(waiter.WaitForOutput(s, &dynamodb.DescribeTableInput{TableName: s.table}, patience)).Table
	return object{
		"status":   table.TableStatus,
		"sort_key": *table.KeySchema[1].AttributeName,
		"index":    *table.LocalSecondaryIndexes[0].IndexName,
	}
}

func newOrder(customer string, number int) order {
	status := "shipped"
	if number%3 == 0 {
		status = "open"
	}
	return order{
		Customer: customer,
		Order:    fmt.Sprintf("o%02d", number),
		Total:    float64(number*7%20) + 0.5,
		Status:   status,
		Note:     "Größe 42, ¥",
		Lines:    []line{{"ski", number}},
		Tags:     []string{"gift", "été"},
		Receipt:  []byte{byte(number), 0, 255},
	}
}

func (s shop) writeAll() int {
	var left []types.WriteRequest
	for customer := range 3 {
		for number := range 20 {
			item := must(attributevalue.MarshalMap(newOrder(fmt.Sprintf("c%d", customer), number)))
			left = append(left, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		}
	}
	written := 0
	for len(left) > 0 {
		now := left[:min(batch, len(left))]
		answer := must(s.db.BatchWriteItem(s, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{*s.table: now},
		}))
		refused := answer.UnprocessedItems[*s.table]
		written += len(now) - len(refused)
		left = append(left[len(now):], refused...)
	}
	return written
}

func (s shop) query(condition expression.KeyConditionBuilder) *dynamodb.QueryInput {
	built := must(expression.NewBuilder().WithKeyCondition(condition).Build())
	return &dynamodb.QueryInput{
		TableName:                 s.table,
		KeyConditionExpression:    built.KeyCondition(),
		ExpressionAttributeNames:  built.Names(),
		ExpressionAttributeValues: built.Values(),
		ConsistentRead:            aws.Bool(true),
	}
}

func (s shop) openOrders() object {
	built := must(expression.NewBuilder().
		WithKeyCondition(expression.Key("customer").Equal(expression.Value("c1"))).
		WithFilter(expression.Name("status").Equal(expression.Value("open"))).Build())
	paginator := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName:                 s.table,
		KeyConditionExpression:    built.KeyCondition(),
		FilterExpression:          built.Filter(),
		ExpressionAttributeNames:  built.Names(),
		ExpressionAttributeValues: built.Values(),
		Limit:                     aws.Int32(6),
		ConsistentRead:            aws.Bool(true),
	})
	orders, pages, examined := []string{}, 0, int32(0)
	for paginator.HasMorePages() {
		page := must(paginator.NextPage(s))
		for _, found := range all[order](page.Items) {
			orders = append(orders, found.Order)
		}
		pages, examined = pages+1, examined+page.ScannedCount
	}
	return object{"orders": orders, "pages": pages, "examined": examined}
}

func (s shop) latest() []string {
	condition := expression.Key("customer").Equal(expression.Value("c1")).And(expression.Key("order").BeginsWith("o1"))
	question := s.query(condition)
	question.ScanIndexForward, question.Limit = aws.Bool(false), aws.Int32(3)
	orders := []string{}
	for _, found := range all[order](must(s.db.Query(s, question)).Items) {
		orders = append(orders, found.Order)
	}
	return orders
}

func (s shop) byTotal() [][]any {
	between := expression.Key("total").Between(expression.Value(5), expression.Value(9))
	question := s.query(expression.Key("customer").Equal(expression.Value("c2")).And(between))
	question.IndexName = aws.String("by-total")
	orders := [][]any{}
	for _, found := range all[order](must(s.db.Query(s, question)).Items) {
		orders = append(orders, []any{found.Order, found.Total, found.Status})
	}
	return orders
}

func (s shop) readOne() object {
	answer := must(s.db.GetItem(s, &dynamodb.GetItemInput{
		TableName: s.table, Key: key("c0", "o05"), ConsistentRead: aws.Bool(true),
	}))
	var found order
	must(0, attributevalue.UnmarshalMap(answer.Item, &found))
	slices.Sort(found.Tags)
	return object{
		"receipt":  hex.EncodeToString(found.Receipt),
		"tags":     found.Tags,
		"quantity": found.Lines[0].Quantity,
		"note":     found.Note,
		"paid":     found.Paid,
		"coupon":   found.Coupon,
	}
}

func (s shop) putAgain() object {
	_, err := s.db.PutItem(s, &dynamodb.PutItemInput{
		TableName:                           s.table,
		Item:                                must(attributevalue.MarshalMap(newOrder("c0", 3))),
		ConditionExpression:                 aws.String("attribute_not_exists(customer)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var refusal *types.ConditionalCheckFailedException
	if !errors.As(err, &refusal) {
		return must(object{}, err)
	}
	var old order
	must(0, attributevalue.UnmarshalMap(refusal.Item, &old))
	return object{"error": refusal.ErrorCode(), "message": refusal.ErrorMessage(), "status": old.Status}
}

func (s shop) pay() object {
	update := "SET #s = :paid, #l[0].quantity = #l[0].quantity + :more ADD visits :more REMOVE note"
	answer := must(s.db.UpdateItem(s, &dynamodb.UpdateItemInput{
		TableName:           s.table,
		Key:                 key("c0", "o04"),
		UpdateExpression:    &update,
		ConditionExpression: aws.String("attribute_exists(note) AND NOT #s = :paid"),
		ExpressionAttributeNames: map[string]string{
			"#s": "status", "#l": "lines",
		},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":paid": &types.AttributeValueMemberS{Value: "paid"},
			":more": &types.AttributeValueMemberN{Value: "2"},
		},
		ReturnValues: types.ReturnValueUpdatedNew,
	}))
	var changed struct {
		order
		Visits int `dynamodbav:"visits"`
	}
	must(0, attributevalue.UnmarshalMap(answer.Attributes, &changed))
	names := []string{}
	for name := range answer.Attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	return object{
		"names": names, "status": changed.Status, "visits": changed.Visits, "quantity": changed.Lines[0].Quantity,
	}
}

func (s shop) exact() string {
	item := key("c9", "big")
	item["amount"] = &types.AttributeValueMemberN{Value: "12345678901234567890123456789012345678"}
	must(s.db.PutItem(s, &dynamodb.PutItemInput{TableName: s.table, Item: item}))
	old := must(s.db.DeleteItem(s, &dynamodb.DeleteItemInput{
		TableName: s.table, Key: key("c9", "big"), ReturnValues: types.ReturnValueAllOld,
	}))
	var amount attributevalue.Number
	must(0, attributevalue.Unmarshal(old.Attributes["amount"], &amount))
	return amount.String()
}

func (s shop) scan(question dynamodb.ScanInput) (items, pages int32) {
	question.TableName, question.ConsistentRead = s.table, aws.Bool(true)
	paginator := dynamodb.NewScanPaginator(s.db, &question)
	for paginator.HasMorePages() {
		items, pages = items+must(paginator.NextPage(s)).Count, pages+1
	}
	return items, pages
}

func (s shop) scanPages() object {
	items, pages := s.scan(dynamodb.ScanInput{Limit: aws.Int32(25)})
	return object{"items": items, "pages": pages}
}

func (s shop) scanSegments() int32 {
	counts := make(chan int32)
	for segment := range int32(segments) {
		go func() {
			items, _ := s.scan(dynamodb.ScanInput{
				Segment: aws.Int32(segment), TotalSegments: aws.Int32(segments),
				Select: types.SelectCount, Limit: aws.Int32(10),
			})
			counts <- items
		}()
	}
	sum := int32(0)
	for range segments {
		sum += <-counts
	}
	return sum
}

func (s shop) fetchArchive(archive string, count int) object {
	keys := make([]map[string]types.AttributeValue, count)
	for number := range keys {
		keys[number] = map[string]types.AttributeValue{"id": &types.AttributeValueMemberN{Value: strconv.Itoa(number)}}
	}
	asked := map[string]types.KeysAndAttributes{archive: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	fetched, rounds := map[string]bool{}, 0
	for len(asked) > 0 {
		answer := must(s.db.BatchGetItem(s, &dynamodb.BatchGetItemInput{RequestItems: asked}))
		for _, item := range answer.Responses[archive] {
			fetched[item["id"].(*types.AttributeValueMemberN).Value] = true
		}
		asked, rounds = answer.UnprocessedKeys, rounds+1
	}
	return object{"fetched": len(fetched), "rounds": rounds}
}

func (s shop) putWithoutSortKey() string {
	_, err := s.db.PutItem(s, &dynamodb.PutItemInput{
		TableName: s.table,
		Item:      map[string]types.AttributeValue{"customer": &types.AttributeValueMemberS{Value: "c0"}},
	})
	var refusal smithy.APIError
	if !errors.As(err, &refusal) || refusal.ErrorCode() != "ValidationException" {
		return must("", err)
	}
	return refusal.ErrorMessage()
}

func (s shop) drop() string {
	must(s.db.DeleteTable(s, &dynamodb.DeleteTableInput{TableName: s.table}))
	waiter := dynamodb.NewTableNotExistsWaiter(s.db, func(o *dynamodb.TableNotExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, time.Second
	})
	must(0, waiter.Wait(s, &dynamodb.DescribeTableInput{TableName: s.table}, patience))
	_, err := s.db.DescribeTable(s, &dynamodb.DescribeTableInput{TableName: s.table})
	var refusal *types.ResourceNotFoundException
	if !errors.As(err, &refusal) {
		return must("", err)
	}
	return refusal.ErrorMessage()
}

func main() {
	background := context.Background()
	settings := must(config.LoadDefaultConfig(background))
	client := dynamodb.NewFromConfig(settings, func(o *dynamodb.Options) { o.EnableAcceptEncodingGzip = true })
	s := shop{background, client, &os.Args[1]}
	steps := object{"table": s.create(), "written": s.writeAll()}
	steps["open"], steps["latest"], steps["by_total"] = s.openOrders(), s.latest(), s.byTotal()
	steps["read"], steps["refused"], steps["updated"], steps["exact"] = s.readOne(), s.putAgain(), s.pay(), s.exact()
	steps["scan"], steps["segments"] = s.scanPages(), s.scanSegments()
	steps["archive"] = s.fetchArchive(os.Args[2], must(strconv.Atoi(os.Args[3])))
	steps["invalid"], steps["dropped"] = s.putWithoutSortKey(), s.drop()
	must(0, json.NewEncoder(os.Stdout).Encode(steps))
}
