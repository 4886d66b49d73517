using KeycloakCreditBridge.Grants.Review.Signals.Domains;

namespace KeycloakCreditBridge.Tests.Grants.Review.Signals.Domains;

/// <summary>Which addresses lie in a list of domains, and which texts are a list.</summary>
public sealed class DomainListTests
{
    private static readonly DomainList List = DomainList.Parse("mailinator.com\n# comment\n\n*.temp.example\nxn--bcher-kva.example\n");

    [Theory]
    [InlineData("ana@mailinator.com", true)]
    [InlineData("ana@MAILINATOR.COM", true)]
    [InlineData("ana@a.b.mailinator.com", true)]
    [InlineData("mailinator.com", true)]
    [InlineData("\"a@b\"@mailinator.com", true)]
    [InlineData("ana@bücher.example", true)]
    [InlineData("ana@notmailinator.com", false)]
    [InlineData("ana@mailinator.com.example", false)]
    [InlineData("ana@com", false)]
    [InlineData("ana@", false)]
    [InlineData("", false)]
    [InlineData("ana@mailinator.com.", false)]
    public void A_domain_counts_with_all_below_it_and_label_by_label(string address, bool expected) =>
        Assert.Equal(expected, List.Has(address));

    [Fact]
    public void A_long_text_is_in_no_list() => Assert.False(List.Has(new string('a', 100_000) + ".mailinator.com"));

    [Fact]
    public void A_few_lines_that_are_no_domains_are_left_out_and_counted()
    {
        var list = DomainList.Parse(string.Join(
            '\n', Enumerable.Range(0, 198).Select(number => $"d{number}.example").Append("co.uk").Append("com")));
        Assert.Equal((198, 2), (list.Count, list.Skipped));
        Assert.False(list.Has("ana@hotmail.co.uk"));
    }

    [Theory]
    [InlineData("<html>\n<body>\nmailinator.com\n")]
    [InlineData("")]
    [InlineData("# nothing\n")]
    [InlineData("[\"mailinator.com\", 5]")]
    [InlineData("[]")]
    [InlineData("com\nmailinator.com\n")]
    public void What_is_no_list_is_refused_whole(string text) => Assert.Throws<FormatException>(() => DomainList.Parse(text));

    [Fact]
    public void One_line_too_many_in_a_hundred_is_refused_and_named()
    {
        var lines = Enumerable.Range(0, 197).Select(number => $"d{number}.example").Concat(["no domain", "-", "a@b"]);
        Assert.Contains("3 of 200 lines that are no domains, such as 'no domain'",
            Assert.Throws<FormatException>(() => DomainList.Parse(string.Join('\n', lines))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_JSON_array_is_a_list_too() => Assert.True(DomainList.Parse("[\"mailinator.com\"]").Has("ana@mailinator.com"));

    [Fact]
    public void The_list_that_comes_with_the_program_names_no_common_provider()
    {
        Assert.SkipUnless(File.Exists(DisposableDomains.Shipped), "Needs the disposable domains: run .ci/disposable-domains and build.");
        var list = DomainList.Parse(File.ReadAllText(DisposableDomains.Shipped));
        Assert.InRange(list.Count, 5_000, 200_000);
        Assert.All(
            ["mailinator.com", "guerrillamail.com", "yopmail.com", "10minutemail.com"], domain => Assert.True(list.Has(domain), domain));
        Assert.All(
            ["gmail.com", "outlook.com", "fastmail.com", "duck.com", "addy.io", "example.com"],
            domain => Assert.False(list.Has(domain), domain));
    }
}
