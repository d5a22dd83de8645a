import { Ajv2020 } from 'ajv/dist/2020.js'
import type { FastifyInstance } from 'fastify'

/**
 * Requests are checked as they are: nothing unknown is removed in silence. Only what a URL can carry as nothing but
 * text (query and path) is read as the number, truth value or list that its schema asks for.
 */
export function checkRequestsStrictly(app: FastifyInstance): void {
  // Verbose: a refusal tells which properties there are, and so which was most likely meant.
  const asSent = new Ajv2020({ allErrors: false, strict: false, verbose: true })
  const asText = new Ajv2020({ allErrors: false, strict: false, verbose: true, coerceTypes: 'array' })
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? asSent : asText).compile(schema as object))
}
