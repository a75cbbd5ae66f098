//! The chat template that a checkpoint brings, for tasks in words.

use anyhow::{Context as _, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, context};
use truefill_model::fim::BoundFormat;

use crate::stored::{self, Opened};
use crate::train::chat::{Chat, ChatRecipe};

/// What a place for the task is called in our own templates.
const TASK: &str = "{{instruction}}";

/// The checkpoint's own template with a place for the task; nothing where it has none, or no token that
/// ends an answer.
///
/// # Errors
/// A template that cannot be rendered.
pub fn of(opened: &Opened, format: &BoundFormat) -> Result<Option<Chat>> {
    let path = opened.checkpoint.path.display();
    let Some(template) = stored::chat_template(&opened.checkpoint)? else {
        return Ok(None);
    };
    let tokenizer = opened.tokenizer()?;
    let end = tokenizer.eos().or(opened.end(format)?);
    let Some(end) = end else {
        return Ok(None);
    };
    let spelled = |token| tokenizer.decode(&[token]);
    let begin = tokenizer.bos().map(spelled).unwrap_or_default();
    let rendered = render(&template, [&begin, &spelled(end)])
        .with_context(|| format!("{path}: its chat template"))?;
    let recipe = ChatRecipe {
        template: rendered,
        end: spelled(end),
    };
    let chat = Chat::bind(&recipe, tokenizer);
    Ok(Some(
        chat.with_context(|| format!("{path}: its chat template"))?,
    ))
}

/// The template with one task and the beginning of the answer, as transformers renders it.
fn render(template: &str, [begin, end]: [&str; 2]) -> Result<String> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build()?);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |message: String| {
        Err::<String, _>(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    });
    let task = context! { role => "user", content => TASK };
    let rendered = environment.render_str(
        template,
        context! {
            messages => vec![task],
            add_generation_prompt => true,
            bos_token => begin,
            eos_token => end,
        },
    )?;
    Ok(rendered)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SmolLM2's and Qwen2.5's way: orders where nobody gives any, then the task, then the answer.
    #[test]
    fn a_template_gets_a_place_for_the_task() {
        let template = "{% for message in messages %}\n    {% if loop.first and messages[0]['role'] != 'system' %}\
            {{ '<|im_start|>system\nBe good.<|im_end|>\n' }}{% endif %}\
            {{'<|im_start|>' + message['role'] + '\n' + message['content'].strip() + '<|im_end|>' + '\n'}}\
            {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
        let found = render(template, ["", "<|im_end|>"]).expect("renders");
        let expected = "<|im_start|>system\nBe good.<|im_end|>\n<|im_start|>user\n{{instruction}}<|im_end|>\n\
            <|im_start|>assistant\n";
        assert_eq!(found, expected);
        let refusing = "{{ raise_exception('no tasks') }}";
        let error = render(refusing, ["", ""]).expect_err("refused");
        assert!(format!("{error:#}").contains("no tasks"), "{error:#}");
    }
}
