/** The template cannot be read: its syntax is wrong, or it names a filter or a test that jinja2 does not know. */
export class TemplateSyntaxError extends Error {}

/** The template uses a part of jinja2 that is not rendered here exactly as jinja2 renders it. */
export class TemplateUnsupported extends Error {
  constructor(construct: string) {
    super(`it uses ${construct}, which is not rendered here exactly as jinja2 renders it`);
  }
}

/** What Python would raise while it renders: the template's own `raise_exception`, or an operation on values of a wrong type. */
export class TemplateRefusal extends Error {}
