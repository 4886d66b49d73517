using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Intake;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Documents;

public sealed partial class WebhookExampleTests(PostgresFixture postgres)
{
    [Fact]
    public async Task The_example_in_the_documents_is_a_hint()
    {
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Top, "docs", "webhooks.md"), TestContext.Current.CancellationToken);
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await IntakeFixture.StartAsync(database.ConnectionString, ("Keycloak:Realms:0:Name", "shop"));
        await host.SchemaReadyAsync();
        var (status, _, _) = await host.DeliverAsync(Body().Match(page).Groups["json"].Value, "webhooks/keycloak/shop");
        Assert.Equal(HttpStatusCode.NoContent, status);
        Assert.Equal("shop REGISTER", await database.ScalarAsync<string>("select realm || ' ' || cause from user_hints"));
    }

    [GeneratedRegex("BODY='(?<json>[^']+)'")]
    private static partial Regex Body();
}
