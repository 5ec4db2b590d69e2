import type { Origins } from "./entry.ts";
import { cacheOf, securityHeaders, transportSecurity } from "./headers.ts";

const quoted = (text: string): string => `"${text.replaceAll('"', '\\"')}"`;
const pattern = (text: string): string => text.replaceAll(/[.\\+*?[^\]$(){}|]/g, "\\$&");

/**
 * What makes an Apache answer as the server does. Every redirect names scheme and host, so that each wrong address is one step from the right one: relative ones come out
 * as `http:` behind a proxy that ends TLS, and a rule for each fault would make a chain of them.
 */
export function htaccess({ site }: Origins, stylePath: string): string {
  const { protocol, host } = new URL(site);
  const headers = [
    ...Object.entries(securityHeaders),
    ...(protocol === "https:" ? [["Strict-Transport-Security", transportSecurity]] : []),
  ].map(([name, value]) => `Header always set ${name} ${quoted(value!)}`);
  // Where TLS ends in front of Apache, only the proxy's word tells of it.
  const secure = `RewriteCond %{HTTPS} !=on\nRewriteCond %{HTTP:X-Forwarded-Proto} !=https`;
  return `# Made by npm run site -- export. Apache 2.4 with mod_rewrite and mod_headers.
Options -Indexes -MultiViews
DirectorySlash Off
AddDefaultCharset utf-8
AddCharset utf-8 .css .xml .md .txt .mjs .py .java
AddType text/markdown .md
AddType image/svg+xml .svg
AddType text/plain .mjs .py .java
AddType text/xml .xml
AddType application/json .json
<Files "sitemap.xml">
ForceType "application/xml; charset=utf-8"
</Files>
<Files ".ht*">
Require all denied
</Files>
ErrorDocument 404 /404.html

RewriteEngine On
# Another host, or another scheme: one step to the address that is left when everything wrong with it is put right.
RewriteRule ^(.*?)(?:(?:^|/)index\\.html|\\.html|/+)?$ - [E=BARE:$1]
RewriteCond %{ENV:REDIRECT_STATUS} ^$
RewriteCond %{HTTP_HOST} !^${pattern(host)}$ [NC]
RewriteRule ^ ${site}/%{ENV:BARE} [R=308,L,NE]
${
  protocol === "https:"
    ? `RewriteCond %{ENV:REDIRECT_STATUS} ^$\n${secure}\nRewriteRule ^ ${site}/%{ENV:BARE} [R=308,L,NE]\n`
    : ""
}# The same at the right host: without a suffix and without a slash at the end.
RewriteCond %{THE_REQUEST} \\s/+[^\\s?]*(?:\\.html|/index\\.html|[^\\s?/]/+|//+)[\\s?]
RewriteCond %{ENV:REDIRECT_STATUS} ^$
RewriteRule ^ ${site}/%{ENV:BARE} [R=308,L,NE]
# What is asked for without a suffix is a file with one.
RewriteRule ^$ /index.html [END]
RewriteCond %{DOCUMENT_ROOT}/$1.html -f
RewriteRule ^(.+)$ /$1.html [END]

<IfModule mod_headers.c>
${headers.join("\n")}
Header always set Cache-Control ${quoted(cacheOf("/"))}
<Files ${quoted(stylePath.slice(1))}>
Header always set Cache-Control ${quoted(cacheOf(stylePath))}
</Files>
</IfModule>
`;
}
