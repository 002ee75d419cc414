//! From tracing's events to our lines: message, the fields of the spans around it, its own fields, its place in the code.

use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::{EventFields, Message, Recorder, SpanFields, field_name};
use super::level::{CurrentLevel, LogLevel};
use super::line::{Line, with_buffer};
use super::writer::Writer;

/// Formats each event into a line and queues it.
pub(super) struct JsonLayer {
    writer: Writer,
    level: Arc<CurrentLevel>,
}

impl JsonLayer {
    pub(super) fn new(writer: Writer, level: Arc<CurrentLevel>) -> Self {
        Self { writer, level }
    }
}

impl<S> Layer<S> for JsonLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.level.allows(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.level.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.most_verbose())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = SpanFields::default();
        attributes.record(&mut Recorder(&mut fields));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<SpanFields>()
        {
            values.record(&mut Recorder(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        with_buffer(|buffer| {
            let mut line = Line::begin(buffer, LogLevel::of(metadata.level()));
            Message::write(&mut line, event);
            write_context(&mut line, event, &context);
            event.record(&mut Recorder(&mut EventFields(&mut line)));
            self.writer.push(line.finish(metadata.file().unwrap_or("unknown"), metadata.line().unwrap_or(0)));
        });
    }
}

/// The outermost span first; a name said again, nearer to the event, is written once, with the nearer value.
fn write_context<S>(line: &mut Line<'_>, event: &Event<'_>, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(scope) = context.event_scope(event) else { return };
    let mut nearer: Vec<&'static str> = event.metadata().fields().iter().map(|field| field.name()).collect();
    let mut kept = Vec::new();
    for span in scope {
        let extensions = span.extensions();
        let Some(SpanFields(fields)) = extensions.get::<SpanFields>() else {
            continue;
        };
        for (name, json) in fields.iter().rev() {
            if !nearer.contains(name) {
                nearer.push(name);
                kept.push((*name, json.clone()));
            }
        }
    }
    for (name, json) in kept.iter().rev() {
        line.key(field_name(name));
        line.raw(json);
    }
}
