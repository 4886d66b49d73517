using System.Text.RegularExpressions;
using ArchUnitNET.Domain;
using ArchUnitNET.Loader;

namespace KeycloakCreditBridge.Tests.Architecture;

/// <summary>
/// Which folder of the bridge uses which, from the compiled program and from its source: a constant leaves no trace in the compiled
/// program, a fully qualified name none among the usings.
/// </summary>
internal sealed partial class RoomMap
{
    private const string Root = "KeycloakCreditBridge";

    private static readonly string Source = Path.Combine(Repository.Top, "src", Root);

    private RoomMap(IReadOnlySet<Arrow> arrows) => Arrows = arrows;

    /// <summary>Arrows between folders, without those of Program.cs.</summary>
    public IReadOnlySet<Arrow> Arrows { get; }

    /// <summary>Folders with source files, as `Room` or `Room/Inner`.</summary>
    public static IReadOnlyList<string> Folders { get; } =
        [.. SourceFiles().Select(FolderOf).Where(folder => folder.Length > 0).Distinct(StringComparer.Ordinal).Order(
            StringComparer.Ordinal)];

    public static RoomMap Read() => new(Compiled().Concat(Written()).Where(arrow => arrow.From != arrow.To).ToHashSet());

    public static IEnumerable<string> SourceFiles() =>
        Directory.EnumerateFiles(Source, "*.cs", SearchOption.AllDirectories).Select(
            file => Path.GetRelativePath(Source, file).Replace('\\', '/'));

    private static string FolderOf(string file) => Path.GetDirectoryName(file)!.Replace('\\', '/');

    private static string RoomOf(string folder) => folder.Split('/')[0];

    private static IEnumerable<Arrow> Compiled()
    {
        var program = new ArchLoader().LoadAssembly(typeof(Program).Assembly).Build();
        foreach (var type in program.Types.Where(IsCounted))
        {
            // A parameter of a generic method may be attributed to another type's method of the same shape.
            var used = type.Dependencies.Select(dependency => dependency.Target)
                .Where(target => target is not GenericParameter)
                .Select(target => target.Namespace?.FullName ?? "");
            foreach (var space in used.Where(space => space == Root || IsOurs(space)))
                yield return new Arrow(ToFolder(type.Namespace.FullName), ToFolder(space), Module().IsMatch(type.FullName));
        }

        static bool IsCounted(IType type) => IsOurs(type.Namespace?.FullName ?? "");
    }

    private static IEnumerable<Arrow> Written()
    {
        var rooms = string.Join('|', Folders.Select(RoomOf).Distinct(StringComparer.Ordinal));
        var qualified = new Regex(
            $@"{Root}\.(?<name>(?:{rooms})(?:\.[A-Z]\w*)*)|(?<![\w.@{{])(?<name>(?:{rooms})(?:\.[A-Z]\w*)+)");
        foreach (var file in SourceFiles().Where(file => file.Contains('/', StringComparison.Ordinal)))
        {
            var text = Comments().Replace(File.ReadAllText(Path.Combine(Source, file)), "");
            foreach (Match match in qualified.Matches(text))
            {
                var folder = Known(match.Groups["name"].Value.Split('.'));
                if (folder is not null)
                    yield return new Arrow(FolderOf(file), folder, file.EndsWith("Module.cs", StringComparison.Ordinal));
            }
        }
    }

    // The longest part of a name that is a folder with something behind it, or a whole namespace.
    private static string? Known(string[] parts)
    {
        for (var length = parts.Length; length > 0; length--)
        {
            var folder = string.Join('/', parts[..length]);
            if (Folders.Contains(folder, StringComparer.Ordinal))
                return folder;
        }

        return null;
    }

    private static bool IsOurs(string space) => space.StartsWith($"{Root}.", StringComparison.Ordinal);

    private static string ToFolder(string space) => space == Root ? "Program.cs" : space[(Root.Length + 1)..].Replace('.', '/');

    [GeneratedRegex(@"\.\w+Module(\+|$)")]
    private static partial Regex Module();

    [GeneratedRegex("//.*$", RegexOptions.Multiline)]
    private static partial Regex Comments();
}

/// <summary>A folder uses another one.</summary>
/// <param name="From">The folder that uses.</param>
/// <param name="To">The folder that is used.</param>
/// <param name="OfModule">Whether a module uses it, which registers what stands in the folders below its own.</param>
internal sealed record Arrow(string From, string To, bool OfModule)
{
    public string FromRoom => From.Split('/')[0];

    public string ToRoom => To.Split('/')[0];

    public override string ToString() => $"{From} -> {To}";
}
