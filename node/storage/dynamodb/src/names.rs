//! Keeping to the names of the tables: rows that were written to one table and are looked for in another would seem not to be there.

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata, operation::update_item::builders::UpdateItemFluentBuilder, primitives::Blob, types::AttributeValue,
};
use zot_storage::{Error, Result};

use crate::{
    DynamoMetadata,
    calls::Operation,
    item::{self, PARTITION, VALUE, VERSION},
    place::{Place, Table},
    random::random,
    statement::UPDATE,
};

/// The partition of the notes.
pub(crate) const NOTES: &str = "tables";
/// The note of the table of users, which a rebuild leaves alone with its rows.
pub(crate) const USERS: &str = "users";
/// The note of all others.
const NAMES: &str = "names";

impl DynamoMetadata {
    /// Notes the names of the tables beside the version of the schema, or compares them with those that were noted.
    pub(crate) async fn keep_names(&self) -> Result<()> {
        self.keep_name(NAMES, &self.tables.to_string()).await?;
        self.keep_name(USERS, self.tables.name(Table::Users)).await
    }

    async fn keep_name(&self, sort: &str, named: &str) -> Result<()> {
        let place = Place { table: Table::Version, partition: NOTES.to_owned(), sort: sort.to_owned() };
        if self.row_at(&place).await?.is_none() {
            self.note_names(&place, named).await?;
        }
        let noted = self.row_at(&place).await?.map(|row| String::from_utf8_lossy(&row.value).into_owned()).unwrap_or_default();
        if noted == named {
            return Ok(());
        }
        let reason = format!("its rows are in other tables: {noted}, not {named}; name those, or another `versionTablename` to begin anew");
        Err(Error::remote("open the tables of DynamoDB", reason))
    }

    /// Notes the names, unless another process has.
    async fn note_names(&self, place: &Place, named: &str) -> Result<()> {
        let request = self.note_request(place, named);
        let mut attempts = self.connection.attempts(Operation::UpdateItem);
        loop {
            match attempts.make(request.clone().send()).await? {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == Some("ConditionalCheckFailedException") => return Ok(()),
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    fn note_request(&self, place: &Place, named: &str) -> UpdateItemFluentBuilder {
        let request = self.connection.client.update_item().table_name(self.tables.name(place.table)).set_key(Some(item::key(place)));
        let request = request.update_expression(UPDATE).condition_expression("attribute_not_exists(#partition)");
        let names = [("#partition", PARTITION), ("#value", VALUE), ("#version", VERSION)];
        let request = names.into_iter().fold(request, |request, (name, attribute)| request.expression_attribute_names(name, attribute));
        request
            .expression_attribute_values(":value", AttributeValue::B(Blob::new(named)))
            .expression_attribute_values(":version", AttributeValue::N(random().to_string()))
    }
}
