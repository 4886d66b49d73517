using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Referrals.Payments;

/// <summary>Referees that were paid before, under another address.</summary>
public sealed class RememberedRefereeTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_user_that_registers_again_with_another_address_and_the_same_identity_earns_nothing_again()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        await fixture.OpenAsync("ana", "bob");
        fixture.Link("bob", "42");
        await fixture.PayAsync("ana", "bob");
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed', status_reason = 'deleted' where user_id = 'bob'");
        foreach (var (id, subject) in ((string, string)[])[("bob-again", "42"), ("eve", "43")])
        {
            await fixture.OpenAsync(id);
            fixture.Link(id, subject);
            await fixture.PayAsync("ana", id);
        }

        Assert.Equal(
            ["ana>bob paid", "ana>bob-again canceled already_received", "ana>eve paid"],
            (await fixture.ReferralsAsync()).Order(StringComparer.Ordinal));
        Assert.Equal(2, await fixture.Database.ScalarAsync<int>("select places from referrers"));
    }
}
