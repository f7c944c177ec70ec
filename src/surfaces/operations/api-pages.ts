import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import express, { type Router } from 'express';

const ASSETS = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>telcouch API</title>
<link rel="stylesheet" href="assets/swagger-ui.css">
<link rel="stylesheet" href="pages.css">
<link rel="icon" href="assets/favicon-32x32.png">
</head>
<body>
<div id="pages"></div>
<script src="assets/swagger-ui-bundle.js"></script>
<script src="start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#pages',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
`;

// No answer of ours has links to other operations, and there is one server: this one.
const STYLE = `.response-col_links, .scheme-container .servers-title, .scheme-container .servers {
  display: none;
}
.swagger-ui .info { margin: 30px 0; }
.swagger-ui .scheme-container { padding: 15px 0; }
`;

/**
 * API pages that need nothing from the network, and the document they show; it is made when it is
 * first asked for, because few processes are ever asked and it takes its share of memory.
 */
export function createApiPages(createDocument: () => object): Router {
  let document: object | undefined;
  const router = express.Router({ strict: true });
  // The page's links are relative, so it must be reached with its slash.
  router.get('/', (request, response, next) => {
    if (request.originalUrl.split('?')[0]?.endsWith('/')) next();
    else response.redirect(308, `${request.baseUrl}/`);
  });
  router.get('/', (_request, response) => {
    response.type('html').send(PAGE);
  });
  router.get('/start.js', (_request, response) => {
    response.type('js').send(START);
  });
  router.get('/pages.css', (_request, response) => {
    response.type('css').send(STYLE);
  });
  router.get('/openapi.json', (_request, response) => {
    document ??= createDocument();
    response.json(document);
  });
  router.use('/assets', express.static(ASSETS, { index: false, maxAge: '1d' }));
  return router;
}
