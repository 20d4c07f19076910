import { type ChatMessage, type ChatOptions, MetaapoError, type Tokenizer } from '@metaapo/core/contracts';
import { withinTime } from '@metaapo/core/storage';
import type { TokenizerOptions } from './load-tokenizer.js';
import type { NamedTokens } from './special-tokens.js';
import { type ChatTemplate, compileChatTemplate } from './template/chat-template.js';
import { TemplateRefusal, TemplateSyntaxError, TemplateUnsupported } from './template/template-errors.js';
import type { TokenizerFiles } from './tokenizer-files.js';

/** What renders conversations. */
export interface ChatRenderer {
  /** What a text follows from beside its messages: templates, and the date where a template asks for it. */
  readonly key: readonly unknown[];
  readonly render: Tokenizer['renderChat'];
}

/**
 * The chat templates of a tokenizer. Messages reach them as transformers hands them over: keys without a value are left
 * out, and a reasoning is found under each of its names.
 * @throws MetaapoError with code `checkpoint` for a template that cannot be read, or not be rendered exactly
 */
export function chatRenderer(
  { chatTemplates, directory }: TokenizerFiles,
  special: NamedTokens,
  { templateDate = midnight() }: TokenizerOptions,
): ChatRenderer {
  const compiled = new Map(
    Object.entries(chatTemplates).map(([name, text]) => [name, compiledTemplate(text, templateDate, directory)]),
  );
  const isDated = Object.values(chatTemplates).some((text) => text.includes('strftime_now'));
  return {
    key: [chatTemplates, ...(isDated ? [templateDate.toISOString()] : [])],
    render: (messages, options = {}) => {
      const name = options.tools && compiled.has('tool_use') ? 'tool_use' : 'default';
      const template = compiled.get(name);
      if (template === undefined) throw noTemplate(directory);
      checkReads(chatTemplates[name]!, messages, options, directory);
      return rendered(template, messages, options, { ...special, ...options.templateArguments }, directory);
    },
  };
}

/** Midnight, so that all starts of a day agree. */
function midnight(): Date {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate());
}

function compiledTemplate(text: string, date: Date, directory: string): ChatTemplate {
  try {
    return compileChatTemplate(text, () => date);
  } catch (cause) {
    throw wrongTemplate(cause as Error, directory);
  }
}

function wrongTemplate(cause: Error, directory: string): MetaapoError {
  const isUnsupported = cause instanceof TemplateUnsupported;
  const summary = isUnsupported ? 'the chat template cannot be rendered exactly' : 'the chat template cannot be read';
  return new MetaapoError('checkpoint', summary, {
    where: directory,
    got: cause.message,
    cause,
    remedy: isUnsupported
      ? 'Write that part of chat_template.jinja in another way, or give the data as text or token ids'
      : 'Correct chat_template.jinja, or download it again',
  });
}

function noTemplate(directory: string): MetaapoError {
  return new MetaapoError('config', 'the tokenizer has no chat template', {
    where: directory,
    remedy: 'Use rows of plain text, or add chat_template.jinja to the directory',
  });
}

/** Refuses what a template never looks at, and would drop: tool calls, tools, arguments. */
function checkReads(
  template: string,
  messages: readonly ChatMessage[],
  { tools, templateArguments = {} }: ChatOptions,
  directory: string,
): void {
  const wanted = [
    ...(tools !== undefined && tools.length > 0 ? ['tools'] : []),
    ...(messages.some(({ tool_calls: calls }) => Array.isArray(calls) && calls.length > 0) ? ['tool_calls'] : []),
    ...Object.keys(templateArguments),
  ];
  const isWholeMessage = /\bmessages?(?:\[[^\]]*\])?\s*\|\s*(?:tojson|string)/.test(template);
  const unread = wanted.filter((name) => !(isWholeMessage && name === 'tool_calls') && !mentions(template, name));
  if (unread.length === 0) return;
  throw new MetaapoError('data', `the chat template does not read ${unread.join(' and ')}`, {
    where: directory,
    expected: 'a template that renders what the rows and the recipe give it',
    remedy: 'Use a chat template that does, or leave it out of the data and the template arguments',
  });
}

const mentions = (template: string, name: string): boolean =>
  new RegExp(`(?<![\\w])${name.replace(/[^\w]/g, '\\$&')}(?![\\w])`).test(template);

function rendered(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  { addGenerationPrompt = false, tools = undefined }: ChatOptions,
  given: Readonly<Record<string, unknown>>,
  directory: string,
): string {
  try {
    const seen = {
      documents: null,
      ...given,
      messages: messages.map(asTemplatesSee),
      tools: tools ?? null,
      add_generation_prompt: addGenerationPrompt,
    };
    return withinTime(() => template.render(seen), { where: directory, what: 'the chat template', limitMs: 5_000 });
  } catch (cause) {
    if (cause instanceof TemplateRefusal) throw refused(cause, messages, directory);
    // The name of a filter or a test may be known only now.
    const isWrong = cause instanceof TemplateUnsupported || cause instanceof TemplateSyntaxError;
    throw isWrong ? wrongTemplate(cause, directory) : cause;
  }
}

function refused(cause: TemplateRefusal, messages: readonly ChatMessage[], directory: string): MetaapoError {
  return new MetaapoError('data', `the chat template refuses the messages: ${cause.message}`, {
    where: directory,
    got: `roles ${messages.map(({ role }) => role).join(', ')}`,
    cause,
    remedy: 'Bring the conversation into the form that the template expects',
  });
}

const REASONING = ['reasoning_content', 'thinking', 'reasoning'];

function asTemplatesSee(message: ChatMessage): Readonly<Record<string, unknown>> {
  const stated = Object.fromEntries(
    Object.entries(message).filter(([, value]) => value !== null && value !== undefined),
  );
  const reasoning = REASONING.map((name) => stated[name]).find((value) => value !== undefined);
  return reasoning === undefined ? stated : { thinking: reasoning, ...stated, reasoning_content: reasoning };
}
