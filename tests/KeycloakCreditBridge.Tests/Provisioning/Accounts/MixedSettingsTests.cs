using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>A batch whose users were evaluated before and after a change of the settings, as a change under load leaves it.</summary>
public sealed class MixedSettingsTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData("ana", "bob")]
    [InlineData("bob", "ana")]
    public async Task Each_user_of_a_batch_is_priced_by_the_settings_that_it_was_evaluated_by(string first, string second)
    {
        var (before, after) = (Policy(20m, 60m), Policy(40m, 120m));
        await using var fixture = await AccountFixture.StartAsync(postgres);
        await fixture.ConvergeAsync(Evaluate(before, first, "starter"), Evaluate(before, second, "starter"));
        await fixture.ConvergeAsync(Evaluate(before, first, "professional"), Evaluate(after, second, "professional"));
        // All but a moment of the period is left: the difference of the two tiers, old or new.
        Assert.InRange(await BalanceAsync(fixture, first), 59.9m, 60m);
        Assert.InRange(await BalanceAsync(fixture, second), 99.9m, 100m);
    }

    private static GrantPolicy Policy(decimal starter, decimal professional) => new(Options.Create(new ProvisioningOptions
    {
        ProRate = true,
        TierFrom = new TierFromOptions { Attribute = "plan" },
        Tiers = new(StringComparer.Ordinal)
        {
            ["trial"] = new() { Credits = 5m },
            ["starter"] = new() { Credits = starter },
            ["professional"] = new() { Credits = professional },
        },
    }));

    private static DesiredState Evaluate(GrantPolicy policy, string id, string tier) => policy.Evaluate(
        AccountFixture.User(id) with { Attributes = new Dictionary<string, IReadOnlyList<string>> { ["plan"] = [tier] } },
        TimeProvider.System.GetUtcNow(), HintSources.Webhook);

    private static Task<decimal> BalanceAsync(AccountFixture fixture, string id) =>
        fixture.Database.ScalarAsync<decimal>("select credits_remaining from user_credits where user_id = @Id", new { Id = id });
}
