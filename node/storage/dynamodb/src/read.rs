//! Reading rows: always as they are now (`ConsistentRead`), never as a copy of DynamoDB may still have them.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use zot_storage::{
    Error, Result,
    metadata::{Key, Row, Scan},
};

use crate::{
    DynamoMetadata,
    calls::Operation,
    failure::{Failure, Kind},
    item::{self, Item, PARTITION, SORT},
    place::{Place, Range},
    tables::Tables,
};

/// The most keys in one batch. (DynamoDB, `BatchGetItem`.)
const BATCH_KEYS_MAX: usize = 100;

/// Batches of one call that are read at the same time.
const BATCHES_AT_ONCE: usize = 4;

/// The most rows in one page of a query; a page has 1 MB at most besides.
const PAGE_ROWS_MAX: usize = 1000;

/// Partition and sort key, which together are never those of two rows.
type Position = (String, String);

impl DynamoMetadata {
    pub(crate) async fn row(&self, key: &Key) -> Result<Option<Row>> {
        self.row_at(&Place::of(key)).await
    }

    pub(crate) async fn row_at(&self, place: &Place) -> Result<Option<Row>> {
        let request = self.connection.client.get_item().table_name(self.tables.name(place.table)).set_key(Some(item::key(place)));
        let request = request.consistent_read(true);
        let answer = self.connection.call(Operation::GetItem, || request.clone().send()).await?;
        answer.item.map(item::row).transpose()
    }

    pub(crate) async fn rows(&self, keys: &[Key]) -> Result<Vec<Option<Row>>> {
        let places: Vec<Place> = keys.iter().map(Place::of).collect();
        // No key may be asked for twice in one batch.
        let mut seen = BTreeSet::new();
        let distinct: Vec<&Place> = places.iter().filter(|place| seen.insert((&place.partition, &place.sort))).collect();
        let batches: Vec<_> = distinct.chunks(BATCH_KEYS_MAX).map(|batch| self.batch(wanted(&self.tables, batch))).collect();
        let batches = stream::iter(batches).buffered(BATCHES_AT_ONCE).try_collect::<Vec<_>>().await?;
        let found: HashMap<Position, Row> = batches.into_iter().flatten().collect();
        Ok(places.into_iter().map(|place| found.get(&(place.partition, place.sort)).cloned()).collect())
    }

    /// Reads some rows, asking again for those that DynamoDB leaves out when it has too much to do.
    async fn batch(&self, mut wanted: HashMap<String, Vec<Item>>) -> Result<Vec<(Position, Row)>> {
        let mut found = Vec::with_capacity(BATCH_KEYS_MAX);
        let mut attempts = self.connection.attempts(Operation::BatchGetItem);
        loop {
            let request = self.connection.client.batch_get_item().set_request_items(Some(consistent(&wanted)?));
            match attempts.make(request.send()).await? {
                Ok(answer) => {
                    for item in answer.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                        found.push((item::position(&item)?, item::row(item)?));
                    }
                    wanted = answer.unprocessed_keys.into_iter().flatten().map(|(table, left)| (table, left.keys)).collect();
                    if wanted.is_empty() {
                        return Ok(found);
                    }
                    attempts.wait(Kind::Throttled, Failure::Unread).await?;
                }
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    pub(crate) async fn first_rows(&self, scan: &Scan, limit: usize) -> Result<Vec<(Key, Row)>> {
        let range = Range::of(scan);
        let partitions = range.partitions.iter().map(|partition| self.query(&range, partition, limit));
        let mut found = try_join_all(partitions).await?.concat();
        if range.partitions.len() > 1 {
            found.sort_by(|one, other| sort(one).cmp(&sort(other)));
            found.truncate(limit);
        }
        found.into_iter().map(|item| Ok((item::row_key(&item)?, item::row(item)?))).collect()
    }

    /// The first items of a partition after the start of a range.
    async fn query(&self, range: &Range, partition: &str, limit: usize) -> Result<Vec<Item>> {
        let mut found = Vec::new();
        let mut start = None;
        while found.len() < limit {
            let page = (limit - found.len()).min(PAGE_ROWS_MAX);
            let (items, next) = self.page(range, partition, start, page).await?;
            found.extend(items);
            if next.is_none() {
                break;
            }
            start = next;
        }
        Ok(found)
    }

    /// One page of a query, and where the next one starts if there is one.
    async fn page(&self, range: &Range, partition: &str, start: Option<Item>, rows: usize) -> Result<(Vec<Item>, Option<Item>)> {
        let condition = match (&range.after, &range.before) {
            (None, None) => "#partition = :partition",
            (Some(_), None) => "#partition = :partition AND #sort > :after",
            (None, Some(_)) => "#partition = :partition AND #sort < :before",
            // With the ends, which are no rows' places.
            (Some(_), Some(_)) => "#partition = :partition AND #sort BETWEEN :after AND :before",
        };
        let mut request = self.connection.client.query().table_name(self.tables.name(range.table)).consistent_read(true);
        request = request.key_condition_expression(condition).expression_attribute_names("#partition", PARTITION);
        request = request.expression_attribute_values(":partition", AttributeValue::S(partition.to_owned()));
        for (name, end) in [(":after", &range.after), (":before", &range.before)] {
            let Some(end) = end else { continue };
            request = request.expression_attribute_names("#sort", SORT).expression_attribute_values(name, AttributeValue::S(end.clone()));
        }
        let request = request.limit(i32::try_from(rows).unwrap_or(i32::MAX)).set_exclusive_start_key(start);
        let answer = self.connection.call(Operation::Query, || request.clone().send()).await?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key.filter(|key| !key.is_empty())))
    }
}

/// The keys of places, by table.
fn wanted(tables: &Tables, places: &[&Place]) -> HashMap<String, Vec<Item>> {
    let mut wanted: HashMap<String, Vec<Item>> = HashMap::new();
    for place in places {
        wanted.entry(tables.name(place.table).to_owned()).or_default().push(item::key(place));
    }
    wanted
}

fn consistent(wanted: &HashMap<String, Vec<Item>>) -> Result<HashMap<String, KeysAndAttributes>> {
    let keys = |keys: &Vec<Item>| KeysAndAttributes::builder().set_keys(Some(keys.clone())).consistent_read(true).build();
    let built = wanted.iter().map(|(table, wanted)| Ok((table.clone(), keys(wanted)?))).collect::<std::result::Result<_, _>>();
    built.map_err(|error: aws_sdk_dynamodb::error::BuildError| Error::remote("build a batch of DynamoDB", error))
}

fn sort(item: &Item) -> Option<&str> {
    item.get(SORT)?.as_s().ok().map(String::as_str)
}
