//! How the claims of a token become a user: expressions in CEL, compiled once.
//!
//! They see `claims`, whose numbers are doubles, and `vars`: the variables of the configuration that stand before them.

use std::{collections::HashMap, fmt, sync::Arc};

use cel::{Context, Env, ExecutionError, Program, Value};
use serde_json::{Value as Json, json};
use zot_config::{KeyPath, http::auth::ClaimMapping};

use crate::expressions::{environment, of_json, one_line};

/// The most groups that a token may put its bearer in.
const GROUPS_MAX: usize = 1000;

/// Makes users of claims.
pub(super) struct Mapping {
    environment: Arc<Env>,
    variables: Vec<(String, Program)>,
    validations: Vec<(Program, String)>,
    username: Program,
    groups: Option<Program>,
}

/// Whom a token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) groups: Vec<Arc<str>>,
}

/// An expression that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("compile http.auth.bearer.oidc.claimMapping.{key}: {reason}")]
pub struct InvalidExpression {
    key: String,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// Why claims are nobody's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unmapped {
    #[error("evaluate {what}: {reason}")]
    Evaluate { what: String, reason: String },
    #[error("claim validation failed: {0}")]
    Validation(String),
    #[error("the username is not text, or empty")]
    Username,
    #[error("the groups are not a list of text, or more than {GROUPS_MAX}")]
    Groups,
}

impl InvalidExpression {
    /// Where it stands, below `path`.
    pub(super) fn place(&self, path: &KeyPath) -> KeyPath {
        let (list, index) = self.key.split_once('.').unwrap_or((&self.key, ""));
        index.parse().map_or_else(|_| path.key(list), |index| path.key(list).index(index).key("expression"))
    }
}

impl Mapping {
    pub(super) fn compile(written: &ClaimMapping) -> Result<Self, InvalidExpression> {
        let environment = Arc::new(environment().map_err(|reason| InvalidExpression { key: "username".to_owned(), reason })?);
        let compile = |key: String, expression: &str| {
            let invalid = |reason: String| InvalidExpression { key: key.clone(), reason };
            let program = environment.compile(expression).map_err(|errors| invalid(one_line(&errors.to_string())))?;
            // Names that nothing has are found only by looking for them.
            let mut context = Context::with_env(Arc::clone(&environment));
            context.add_variable_from_value("claims", of_json(&json!({"iss": "", "sub": "", "aud": ""})));
            context.add_variable_from_value("vars", Value::from(HashMap::<&str, Value>::new()));
            match program.execute(&context) {
                Err(ExecutionError::UndeclaredReference(name)) => {
                    Err(invalid(format!("`{name}` is not known; there are `claims` and `vars`")))
                }
                _ => Ok(program),
            }
        };
        let variables = written.variables.iter().enumerate();
        let variables = variables.map(|(index, variable)| {
            let program = compile(format!("variables.{index}"), &variable.expression)?;
            Ok((variable.name.clone(), program))
        });
        let validations = written.validations.iter().enumerate();
        let validations = validations.map(|(index, validation)| {
            let program = compile(format!("validations.{index}"), &validation.expression)?;
            Ok((program, validation.message.clone()))
        });
        let groups = written.groups.as_deref().filter(|groups| !groups.is_empty());
        Ok(Self {
            variables: variables.collect::<Result<_, _>>()?,
            validations: validations.collect::<Result<_, _>>()?,
            username: compile("username".to_owned(), &written.username)?,
            groups: groups.map(|groups| compile("groups".to_owned(), groups)).transpose()?,
            environment: Arc::clone(&environment),
        })
    }

    /// Whom `claims` are about.
    pub(super) fn user(&self, claims: &Json) -> Result<User, Unmapped> {
        let claims = of_json(claims);
        let mut variables = HashMap::new();
        for (name, program) in &self.variables {
            let value = self.evaluate(program, &claims, &variables).map_err(|error| failed(name, &error))?;
            variables.insert(name.clone(), value);
        }
        for (program, message) in &self.validations {
            match self.evaluate(program, &claims, &variables) {
                Ok(Value::Bool(true)) => {}
                Ok(_) => return Err(Unmapped::Validation(message.clone())),
                Err(error) => return Err(failed("a validation", &error)),
            }
        }
        let name = match self.evaluate(&self.username, &claims, &variables).map_err(|error| failed("the username", &error))? {
            Value::String(name) if !name.is_empty() => name.to_string(),
            _ => return Err(Unmapped::Username),
        };
        let groups = match &self.groups {
            None => Vec::new(),
            Some(program) => groups(&self.evaluate(program, &claims, &variables).map_err(|error| failed("the groups", &error))?)?,
        };
        Ok(User { name, groups })
    }

    fn evaluate(&self, program: &Program, claims: &Value, variables: &HashMap<String, Value>) -> Result<Value, ExecutionError> {
        let mut context = Context::with_env(Arc::clone(&self.environment));
        context.add_variable_from_value("claims", claims.clone());
        context.add_variable_from_value("vars", Value::from(variables.clone()));
        program.execute(&context)
    }
}

fn failed(what: &str, error: &ExecutionError) -> Unmapped {
    // A claim may be named in the text, but not what it says.
    let reason = match error {
        ExecutionError::NoSuchKey(name) => format!("there is no `{name}`"),
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is not known"),
        ExecutionError::NoSuchOverload(error) => error.to_string(),
        _ => "it has no value".to_owned(),
    };
    Unmapped::Evaluate { what: what.to_owned(), reason }
}

fn groups(value: &Value) -> Result<Vec<Arc<str>>, Unmapped> {
    let Value::List(elements) = value else { return Err(Unmapped::Groups) };
    if elements.len() > GROUPS_MAX {
        return Err(Unmapped::Groups);
    }
    let group = |element: &Value| match element {
        Value::String(name) => Ok(Arc::from(name.as_str())),
        _ => Err(Unmapped::Groups),
    };
    elements.iter().map(group).collect()
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use zot_config::http::auth::{ClaimValidation, ClaimVariable};

    use super::*;

    fn mapping(username: &str, groups: Option<&str>) -> ClaimMapping {
        ClaimMapping { username: username.to_owned(), groups: groups.map(str::to_owned), ..ClaimMapping::default() }
    }

    fn claims() -> Json {
        json!({"iss": "https://ci.example.com", "sub": "repo:acme/app:ref:main", "project": {"path": "acme/app"}, "groups": ["a", "b"], "n": 3})
    }

    fn name(mapping: &ClaimMapping) -> Result<String, Unmapped> {
        Mapping::compile(mapping).unwrap().user(&claims()).map(|user| user.name)
    }

    #[test]
    fn without_a_mapping_the_user_is_issuer_and_subject() {
        assert_eq!(name(&ClaimMapping::default()).unwrap(), "https://ci.example.com/repo:acme/app:ref:main");
    }

    #[test]
    fn expressions_make_names_and_groups() {
        assert_eq!(name(&mapping("'ci:' + claims.project.path", None)).unwrap(), "ci:acme/app");
        assert_eq!(name(&mapping("claims.sub.split(':')[1]", None)).unwrap(), "acme/app");
        assert_eq!(name(&mapping("claims.n == 3 ? 'three' : 'other'", None)).unwrap(), "three", "a number is a number");
        let user = Mapping::compile(&mapping("claims.sub", Some("claims.groups.map(g, 'ci-' + g)"))).unwrap().user(&claims()).unwrap();
        assert_eq!(user.groups, ["ci-a", "ci-b"].map(Arc::<str>::from));
    }

    #[test]
    fn variables_see_those_before_them() {
        let variable = |name: &str, expression: &str| ClaimVariable { name: name.to_owned(), expression: expression.to_owned() };
        let variables = vec![variable("parts", "claims.project.path.split('/')"), variable("team", "vars.parts[0]")];
        let written = ClaimMapping { variables, ..mapping("vars.team + '-bot'", Some("[vars.team]")) };
        let user = Mapping::compile(&written).unwrap().user(&claims()).unwrap();
        assert_eq!((user.name.as_str(), user.groups), ("acme-bot", vec!["acme".into()]));
    }

    #[test]
    fn a_validation_that_does_not_hold_says_so() {
        let check = |expression: &str| {
            let validation = ClaimValidation { expression: expression.to_owned(), message: "only main".to_owned() };
            name(&ClaimMapping { validations: vec![validation], ..mapping("claims.sub", None) })
        };
        assert!(check("claims.sub.endsWith(':main')").is_ok());
        for expression in ["claims.sub.endsWith(':dev')", "'true'", "1", "null"] {
            assert_eq!(check(expression), Err(Unmapped::Validation("only main".to_owned())), "{expression}");
        }
        assert!(matches!(check("claims.missing == 'x'"), Err(Unmapped::Evaluate { .. })));
    }

    #[test]
    fn what_is_no_name_and_no_groups_is_nobody() {
        for username in ["''", "claims.n", "claims.groups", "null"] {
            assert_eq!(name(&mapping(username, None)), Err(Unmapped::Username), "{username}");
        }
        assert!(matches!(name(&mapping("claims.email", None)), Err(Unmapped::Evaluate { .. })));
        for groups in ["'a'", "[1]", "claims", "claims.groups + [null]"] {
            assert_eq!(name(&mapping("claims.sub", Some(groups))), Err(Unmapped::Groups), "{groups}");
        }
    }

    #[test]
    fn an_expression_that_is_none_is_named() {
        for username in ["claims.", "claims.sub +", "user.name", "nothing(claims)", ""] {
            let error = Mapping::compile(&mapping(username, None)).unwrap_err();
            assert_eq!(error.place(&KeyPath::of("m")).as_str(), "m.username", "{username}: {error}");
        }
        let variables = vec![ClaimVariable { name: "a".to_owned(), expression: "((".to_owned() }];
        let error = Mapping::compile(&ClaimMapping { variables, ..ClaimMapping::default() }).unwrap_err();
        assert_eq!(error.place(&KeyPath::of("m")).as_str(), "m.variables[0].expression");
    }
}
