// A plugin of typedoc that lays out docs/api: a page with a short name for each subpath, its contents at the top, and types
// as a reader wants them.
import {
  type Application,
  type ContainerReflection,
  type DeclarationReflection,
  IntersectionType,
  type ProjectReflection,
  QueryType,
  ReferenceType,
  type Reflection,
  ReflectionKind,
  ReflectionType,
  type SomeType,
  UnionType,
} from "typedoc";
import {
  type MarkdownPageEvent,
  MarkdownTheme,
  type MarkdownThemeContext,
  ModuleRouter,
} from "typedoc-plugin-markdown";
import manifest from "../package.json" with { type: "json" };

/** Called by typedoc, which finds router and theme by these names in docs/typedoc.json. */
export function load({ converter, renderer }: Application): void {
  converter.on("resolveBegin", ({ project }) => {
    sortExports(project);
    for (const property of project.getReflectionsByKind(ReflectionKind.Property))
      simplify(property as DeclarationReflection);
  });
  renderer.defineRouter("subpaths", SubpathRouter);
  renderer.defineTheme("subpaths", SubpathTheme);
}

/** Exports are looked up by name; what is in them stays in the order of the sources, which tells more. */
function sortExports({ children = [] }: ProjectReflection): void {
  const byName = (a: Reflection, b: Reflection) => a.name.localeCompare(b.name, "en");
  for (const module of children) {
    module.children?.sort(byName);
    module.childrenIncludingDocuments?.sort(byName);
  }
}

/** Leaves out of a type what tells the reader nothing. */
function simplify(property: DeclarationReflection): void {
  const { name, type, project } = property;
  // `url?: undefined` is there for the compiler, so that alternatives exclude each other.
  if (type?.type === "intrinsic" && type.name === "undefined") project.removeReflection(property);
  // typedoc spells out every overload of `typeof fetch`.
  if (name === "fetch" && type instanceof ReflectionType) {
    project.removeTypeReflections(type);
    property.type = new QueryType(ReferenceType.createBrokenReference("fetch", project, undefined));
  }
}

/** The pages lie side by side. */
class SubpathRouter extends ModuleRouter {
  override getIdealBaseName(reflection: Reflection): string {
    if (!reflection.kindOf(ReflectionKind.Module)) return super.getIdealBaseName(reflection);
    return reflection.name === manifest.name ? "core" : reflection.name.replace(/.*\//, "");
  }
}

class SubpathTheme extends MarkdownTheme {
  override getRenderContext(page: MarkdownPageEvent<Reflection>): MarkdownThemeContext {
    const context = super.getRenderContext(page);
    const { partials } = context;
    const { body, declaration } = partials;
    partials.body = (model, options) => {
      const head = model.isProject() ? introduction : contentsOf(model, context);
      return `${head}\n\n${body(model, options)}`;
    };
    partials.declaration = (model, options) => alternativesOf(model, context) ?? declaration(model, options);
    // Said once is enough: a class names what it extends.
    partials.inheritance = () => "";
    return context;
  }
}

const introduction = `Everything that the package exports, by what it is imported from.

Made from the comments in \`src/\` by \`npm run docs:api\`: what is edited here gets lost.`;

function contentsOf(model: ContainerReflection, context: MarkdownThemeContext): string {
  if (!model.kindOf(ReflectionKind.Module)) return "";
  const lines = (model.groups ?? []).map(({ title, children }) => {
    const links = children.map((child) => `[${child.name}](${context.urlTo(child)})`);
    return `- ${title}: ${links.join(", ")}`;
  });
  return lines.join("\n");
}

/** The plugin has a heading for each member of a union, and nothing for those of a union in an intersection. */
function alternativesOf(model: DeclarationReflection, context: MarkdownThemeContext): string | undefined {
  const { partials, helpers } = context;
  const { type, comment } = model;
  const summary = comment ? partials.comment(comment) : "";
  if (type instanceof UnionType && type.types.every((member) => member instanceof ReflectionType)) {
    const lines = type.types.map((member, index) => {
      const said = helpers.getCommentParts(type.elementSummaries?.[index] ?? []);
      return `- ${partials.someType(member)}: ${said}`;
    });
    return `${summary}\n\nIt is one of\n\n${lines.join("\n")}`;
  }
  if (type instanceof IntersectionType && type.types.some((member) => member instanceof UnionType)) {
    // What `simplify` has emptied.
    const title = partials.declarationTitle(model).replaceAll(" & \\{ \\}", "");
    return [title, summary, partials.propertiesTable(propertiesIn(type))].join("\n\n");
  }
  return undefined;
}

function propertiesIn(type: SomeType): DeclarationReflection[] {
  if (type instanceof ReflectionType) return type.declaration.children ?? [];
  return type instanceof IntersectionType || type instanceof UnionType
    ? type.types.flatMap(propertiesIn)
    : [];
}
