using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Rules;

namespace KeycloakCreditBridge.Tests.Grants.Policy.Rules;

public sealed class InviteLinksTests
{
    private static readonly DateTimeOffset Until = new(2027, 4, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly InviteLinks Links = new(new string('i', 32));

    [Fact]
    public void An_invitation_names_its_campaign_until_its_end()
    {
        var invite = Links.Make("spring-2027", Until);
        Assert.Matches(@"^v1\.spring-2027\.1806537600\.[A-Za-z0-9_-]{43}$", invite);
        Assert.InRange(Links.Make(new string('a', 40), DateTimeOffset.MaxValue).Length, 1, Attribution.Longest);
        Assert.Equal("spring-2027", Links.CampaignOf(invite, Until.AddSeconds(-1)));
        Assert.Null(Links.CampaignOf(invite, Until));
    }

    [Fact]
    public void What_is_changed_or_signed_by_another_key_is_no_invitation()
    {
        var invite = Links.Make("spring", Until);
        string?[] others =
        [
            invite.Replace("spring", "autumn", StringComparison.Ordinal), invite.Replace("v1", "v2", StringComparison.Ordinal),
            invite.Replace($"{Until.ToUnixTimeSeconds()}", $"{Until.ToUnixTimeSeconds() + 1}", StringComparison.Ordinal), invite[..^1],
            invite + "A", new InviteLinks(new string('j', 32)).Make("spring", Until), "v1.spring", "v1...", "", null,
        ];
        Assert.All(others, other => Assert.Null(Links.CampaignOf(other, Until.AddDays(-1))));
        Assert.Null(new InviteLinks("").CampaignOf(new InviteLinks("").Make("spring", Until), Until.AddDays(-1)));
    }

    [Theory]
    [InlineData("https://shop/cb?utm_source=letter&utm_campaign=autumn%202026&ref=a%2Bb+c#x?utm_term=no", "letter||autumn 2026|||a+b c", 0)]
    [InlineData("https://shop/cb?utm_source=one&utm_source=two&source=three&utm_ref=four", "one|||||", 0)]
    [InlineData("https://shop/cb?utm_medium=%2541", "|%41||||", 0)]
    [InlineData("https://shop/cb?utm_source=&utm_medium&session_state=1", null, 0)]
    [InlineData("https://shop/cb?utm_term=a%00b&ref=x", "|||||x", 1)]
    [InlineData("https://shop/cb", null, 0)]
    [InlineData(null, null, 0)]
    public void An_address_says_where_a_user_came_from(string? address, string? expected, int dropped)
    {
        var said = Attribution.FromAddress(address, Until, out var unusable);
        Assert.Equal((expected, dropped), (said is null ? null : string.Join('|', Attribution.Names.Select(said.Of)), unusable));
    }

    [Fact]
    public void A_value_that_is_too_long_is_dropped_and_never_cut()
    {
        var said = Attribution.FromAddress($"x?ref={new string('a', 128)}&utm_source={new string('b', 129)}", null, out var dropped);
        Assert.Equal((128, null, 1), (said!.Ref!.Length, said.Source, dropped));
    }
}
