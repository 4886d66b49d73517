using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>
/// A token may name a service account as it likes. What Keycloak says of the user closes an account opened on such a token.
/// </summary>
public sealed class ServiceAccountTests(PostgresFixture postgres)
{
    [Fact]
    public async Task An_account_that_was_opened_for_a_service_account_is_closed()
    {
        await using var fixture = await StartAsync(postgres);
        var service = User("robot") with { IsServiceAccount = true };
        await fixture.ReadAsync(User("robot"), User("ana"));
        Assert.Equal(["robot"], await fixture.DifferencesAsync(service));

        await fixture.ReadAsync(service);

        Assert.Equal(["ana active 5.00 of ana", "robot closed service_account 5.00 of robot"], await fixture.AccountsAsync());
        Assert.Equal(["ana account ana", "robot service_account robot"], await fixture.KnownAsync());
        Assert.Equal(["credit.create", "credit.close"], await fixture.AuditAsync("robot"));
        Assert.Empty(await fixture.DifferencesAsync(service));
    }

    [Fact]
    public async Task An_open_account_of_a_service_account_on_record_is_a_difference()
    {
        await using var fixture = await StartAsync(postgres);
        var service = User("robot") with { IsServiceAccount = true };
        await fixture.ReadAsync(User("robot"));
        await fixture.Database.ExecuteAsync("update keycloak_users set user_state = 'service_account'");
        Assert.Equal(["robot"], await fixture.DifferencesAsync(service));
        await fixture.ReadAsync(service);
        Assert.Equal(["robot closed service_account 5.00 of robot"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task An_account_that_an_operator_holds_or_that_has_another_owner_is_not_closed_for_a_service_account()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.ReadAsync(User("robot"), User("ana"));
        await fixture.Database.ExecuteAsync("update user_credits set status = 'held', status_reason = 'operator' where user_id = 'robot'");
        await fixture.Database.ExecuteAsync("update user_credits set keycloak_id = null, realm = null where user_id = 'ana'");
        await fixture.ReadAsync(User("robot") with { IsServiceAccount = true }, User("ana") with { IsServiceAccount = true });
        Assert.Equal(["ana active 5.00", "robot held operator 5.00 of robot"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_user_that_was_taken_for_a_service_account_has_its_account_again()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.ReadAsync(User("ana"));
        await fixture.ReadAsync(User("ana") with { IsServiceAccount = true });
        await fixture.ReadAsync(User("ana"));
        Assert.Equal(["ana active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(1, await fixture.GrantsAsync());
    }
}
