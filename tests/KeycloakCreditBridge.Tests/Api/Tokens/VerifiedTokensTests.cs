using System.Net;
using System.Security.Claims;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Api.Tokens;

public sealed class VerifiedTokensTests(PostgresFixture postgres)
{
    private static readonly VerifiedCaller Ana = new(new Caller("demo", "ana", null, false, false, default), new ClaimsPrincipal());

    private readonly ManualTimeProvider _clock = new();

    [Fact]
    public void A_token_is_known_until_it_expires_and_for_a_minute_at_most()
    {
        var known = new VerifiedTokens(_clock);
        known.Remember("short", Ana, _clock.GetUtcNow().AddSeconds(10));
        known.Remember("long", Ana, _clock.GetUtcNow().AddHours(1));
        Assert.Equal((Ana, Ana, null), (known.Find("short"), known.Find("long"), known.Find("another")));
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal((null, Ana), (known.Find("short"), known.Find("long")));
        _clock.Advance(VerifiedTokens.Lifetime - TimeSpan.FromSeconds(10));
        Assert.Null(known.Find("long"));
    }

    [Fact]
    public void The_number_of_remembered_tokens_is_bounded()
    {
        var known = new VerifiedTokens(_clock);
        for (var number = 0; number < 25_000; number++)
            known.Remember($"t{number}", Ana, _clock.GetUtcNow().AddHours(1));
        Assert.InRange(Enumerable.Range(0, 25_000).Count(number => known.Find($"t{number}") is not null), 1, 10_000);
    }

    [Fact]
    public async Task A_remembered_token_vouches_for_no_other()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var token = fixture.TokenOf("u1");
        foreach (var _ in (int[])[1, 2])
            Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync(CreditsFixture.Balance, token)).Status);
        var parts = token.Split('.');
        var signature = (parts[2][0] == 'A' ? 'B' : 'A') + parts[2][1..];
        Assert.Equal(HttpStatusCode.Unauthorized, (await fixture.GetAsync(CreditsFixture.Balance,
            $"{parts[0]}.{parts[1]}.{signature}")).Status);
        var other = fixture.TokenOf("u2", CreditsFixture.Admin).Split('.');
        Assert.Equal(HttpStatusCode.Unauthorized, (await fixture.GetAsync(CreditsFixture.Balance,
            $"{parts[0]}.{other[1]}.{parts[2]}")).Status);
    }
}
