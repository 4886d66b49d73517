using KeycloakCreditBridge.Cli;

namespace KeycloakCreditBridge.Tests.Cli;

public sealed class PrintableTests
{
    private const int Width = 80;

    [Fact]
    public void A_list_that_fits_the_terminal_is_a_table() => Assert.Equal(
        ["STATE    USER", "waiting  u1", "dead     u2"],
        Printable.List([["STATE", "USER"], ["waiting", "u1"], ["dead", "u2"]], Width));

    [Fact]
    public void A_wider_list_has_a_line_for_each_value()
    {
        var id = new string('a', 79);

        Assert.Equal(
            ["STATE  waiting", $"USER   {id}", "", "STATE  dead", "USER   u2", "ERROR  no answer"],
            Printable.List([["STATE", "USER", "ERROR"], ["waiting", id, ""], ["dead", "u2", "no answer"]], Width));
    }

    [Fact]
    public void A_wider_table_becomes_several_that_begin_alike_and_lose_no_column()
    {
        string[] names = [.. Enumerable.Range(1, 12).Select(number => $"COLUMN{number:000}")];

        string[] lines = [.. Printable.Tables([["DAY", .. names], ["2026-01-31", .. names.Select((_, column) => $"{column}")]], Width)];

        Assert.All(lines, line => Assert.True(line.Length <= Width, line));
        Assert.Equal(2, lines.Count(line => line.StartsWith("DAY ", StringComparison.Ordinal)));
        Assert.Equal(2, lines.Count(line => line.StartsWith("2026-01-31 ", StringComparison.Ordinal)));
        Assert.All(names, name => Assert.Single(lines, line => line.Split(' ').Contains(name)));
    }

    [Fact]
    public void A_table_of_one_column_stays_one() => Assert.Equal(["DAY", "monday"], Printable.Tables([["DAY"], ["monday"]], Width));

    [Fact]
    public void A_long_line_breaks_after_commas_and_keeps_its_text()
    {
        var text = $"  account    {string.Join(", ", Enumerable.Range(1, 30).Select(number => $"part {number}"))}";

        var wrapped = Printable.Wrapped(text, 15, Width);

        Assert.All(wrapped.Split('\n'), line => Assert.True(line.Length <= Width, line));
        Assert.Equal(text, wrapped.Replace($",\n{new string(' ', 15)}", ", ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_long_sentence_breaks_at_spaces_and_keeps_its_words()
    {
        var sentence = $"  why        {string.Join(' ', Enumerable.Repeat("word", 40))}, and more";

        var wrapped = Printable.Wrapped(sentence, 15, Width);

        Assert.All(wrapped.Split('\n'), line => Assert.True(line.Length <= Width, line));
        Assert.Equal(sentence, wrapped.Replace($"\n{new string(' ', 15)}", " ", StringComparison.Ordinal));
    }

    [Fact]
    public void What_has_no_space_stays_whole() =>
        Assert.Equal(new string('x', 200), Printable.Wrapped(new string('x', 200), 4, Width));

    [Fact]
    public void A_file_gets_each_row_on_one_line() => Assert.Equal(
        ["STATE  USER", $"dead   {new string('a', 200)}"],
        Printable.List([["STATE", "USER"], ["dead", new string('a', 200)]], int.MaxValue));
}
