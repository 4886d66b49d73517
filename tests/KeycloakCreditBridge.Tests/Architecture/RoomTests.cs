using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Components;

namespace KeycloakCreditBridge.Tests.Architecture;

/// <summary>Holds the rooms of the bridge to the table in docs/architecture.md.</summary>
public sealed partial class RoomTests
{
    private const int MaxFiles = 10;

    private static readonly RoomMap Map = RoomMap.Read();

    private static readonly IReadOnlyList<Room> Rooms = ReadTable();

    // Test folders that belong to no single room.
    private static readonly string[] OwnFolders =
        ["Architecture", "Contract", "Faults", "Fuzz", "Models", "Sandbox", "Documents", "Running"];

    [Fact]
    public void Every_room_stands_in_the_table() =>
        Assert.Equal(
            RoomMap.Folders.Select(folder => folder.Split('/')[0]).Distinct(StringComparer.Ordinal),
            Rooms.Select(room => room.Name).Order(StringComparer.Ordinal));

    [Fact]
    public void A_room_uses_only_rooms_that_the_table_allows()
    {
        var allowed = Rooms.SelectMany(room => room.Uses.Select(used => (room.Name, used))).ToHashSet();
        Findings.None(Map.Arrows
            .Where(arrow => arrow.FromRoom != arrow.ToRoom && !allowed.Contains((arrow.FromRoom, arrow.ToRoom)))
            .Select(arrow => $"{arrow}").Distinct(StringComparer.Ordinal));
    }

    [Fact]
    public void The_table_allows_no_more_than_is_used()
    {
        var used = Map.Arrows.Select(arrow => (arrow.FromRoom, arrow.ToRoom)).ToHashSet();
        Findings.None(Rooms.SelectMany(
            room => room.Uses.Where(other => !used.Contains((room.Name, other))).Select(other => $"{room.Name} -> {other}")));
    }

    [Fact]
    public void The_table_allows_lower_rooms_only()
    {
        var order = Rooms.Select(room => room.Name).ToList();
        Findings.None(Rooms.SelectMany(room => room.Uses
            .Where(used => order.IndexOf(used) <= order.IndexOf(room.Name))
            .Select(used => $"{room.Name} -> {used}")));
    }

    [Fact]
    public void Rooms_and_their_inner_rooms_form_no_circle()
    {
        var next = Map.Arrows.Where(arrow => !arrow.OfModule).ToLookup(arrow => arrow.From, arrow => arrow.To, StringComparer.Ordinal);
        HashSet<string> finished = new(StringComparer.Ordinal);
        List<string> path = [];
        foreach (var folder in RoomMap.Folders)
            Visit(folder);

        void Visit(string folder)
        {
            if (finished.Contains(folder))
                return;
            var start = path.IndexOf(folder);
            Assert.True(start < 0, string.Join(" -> ", path.Skip(start).Append(folder)));
            path.Add(folder);
            foreach (var used in next[folder])
                Visit(used);
            path.RemoveAt(path.Count - 1);
            finished.Add(folder);
        }
    }

    [Fact]
    public void No_room_has_more_than_ten_files_of_its_own() =>
        Findings.None(RoomMap.SourceFiles()
            .GroupBy(file => Path.GetDirectoryName(file)!, StringComparer.Ordinal)
            .Where(room => room.Count() > MaxFiles)
            .Select(room => $"{room.Key}: {room.Count()} files"));

    [Fact]
    public void Every_test_folder_is_named_after_a_room()
    {
        var tests = Path.Combine(Repository.Top, "tests", "KeycloakCreditBridge.Tests");
        var folders = Directory.EnumerateFiles(tests, "*.cs", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(tests, Path.GetDirectoryName(file)!).Replace('\\', '/'))
            .Where(folder => folder != "." && !OwnFolders.Contains(folder.Split('/')[0]))
            .Distinct(StringComparer.Ordinal);
        Findings.None(folders.Where(
            folder => !RoomMap.Folders.Any(room => room == folder || room.StartsWith($"{folder}/", StringComparison.Ordinal))));
    }

    // The compiler of components makes them public.
    [Fact]
    public void No_type_but_a_component_is_public() =>
        Findings.None(typeof(Program).Assembly.GetTypes()
            .Where(type => type.IsVisible && !type.IsAssignableTo(typeof(IComponent)) && type.Name != "_Imports")
            .Select(type => type.FullName));

    [Fact]
    public void No_using_is_global() =>
        Findings.None(RoomMap.SourceFiles()
            .Append("KeycloakCreditBridge.csproj")
            .Where(file => GlobalUsing().IsMatch(File.ReadAllText(Path.Combine(Repository.Top, "src", "KeycloakCreditBridge", file)))));

    private static IReadOnlyList<Room> ReadTable() =>
        [.. Row().Matches(File.ReadAllText(Path.Combine(Repository.Top, "docs", "architecture.md"))).Select(row => new Room(
            row.Groups["name"].Value,
            [.. Name().Matches(row.Groups["uses"].Value).Select(name => name.Groups[1].Value)]))];

    [GeneratedRegex(@"^\| `(?<name>[A-Z]\w+)/` \|[^|]*\| (?<uses>[^|]*) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"`?([A-Z]\w+)`?")]
    private static partial Regex Name();

    [GeneratedRegex(@"^\s*global using|<Using ", RegexOptions.Multiline)]
    private static partial Regex GlobalUsing();

    private sealed record Room(string Name, IReadOnlyList<string> Uses);
}
