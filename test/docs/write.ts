/** `npm run -s docs`: writes the generated parts of the documentation anew. */
import { writeFile } from 'node:fs/promises'
import { semanticsPage } from './semantics-page.ts'

const { path, is, hasToBe } = await semanticsPage()
if (is !== hasToBe) await writeFile(path, hasToBe)
console.log(is === hasToBe ? `${path} was up to date` : `${path} is written anew`)
