using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Storage.Sessions;

public sealed class RotatedPasswordTests(PostgresFixture postgres) : IDisposable
{
    private const int OtherTarget = 740;

    private readonly LogLines _log = new();
    private string _connection = "Host=db;Database=credits;Username=bridge;Password=first";

    [Fact]
    public void A_new_password_is_used_for_the_next_connection()
    {
        var password = Build();
        Assert.Equal("first", password.Read());
        _connection = "Password=second;Server=db;User Id=bridge;Database=credits";
        Assert.Equal("second", password.Read());
        Assert.Empty(_log.EventIds);
    }

    [Theory]
    [InlineData("Host=db;Database=credits;Username=other;Password=of-other")]
    [InlineData("Host=elsewhere;Database=credits;Username=bridge;Password=of-elsewhere")]
    public void The_old_password_stays_where_user_or_host_changes_too(string changed)
    {
        var password = Build();
        _connection = changed;
        Assert.Equal("first", password.Read());
        Assert.Equal("first", password.Read());
        Assert.Single(_log.EventIds, OtherTarget);
        Assert.True(_log.Says("Some:ConnectionString"));
        Assert.False(_log.Says("of-"));
    }

    [Fact]
    public void The_newest_password_of_the_old_user_stays()
    {
        var password = Build();
        _connection = _connection.Replace("first", "second", StringComparison.Ordinal);
        Assert.Equal("second", password.Read());
        _connection = "Host=db;Database=credits;Username=other;Password=third";
        Assert.Equal("second", password.Read());
    }

    [Fact]
    public async Task Both_databases_stay_reachable_when_a_connection_string_names_another_user()
    {
        var token = TestContext.Current.CancellationToken;
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        var first = database.ConnectionString + ";Pooling=false";
        var other = new NpgsqlConnectionStringBuilder(first) { Username = "other", Password = "of-other" }.ConnectionString;
        var storage = new StorageOptions { ConnectionString = first };
        var keycloak = new KeycloakOptions { Database = new KeycloakDatabaseOptions { ConnectionString = first } };
        await using var own = storage.BuildDataSource(logger: _log.CreateLogger("test"));
        await using var keycloaks = new KeycloakDatabase(Options.Create(keycloak));
        (storage.ConnectionString, keycloak.Database.ConnectionString) = (other, other);

        await using var one = await own.OpenConnectionAsync(token);
        await using var two = await keycloaks.OpenAsync(token);
        Assert.Single(_log.EventIds, OtherTarget);
    }

    public void Dispose() => _log.Dispose();

    private RotatedPassword Build() =>
        new("Some:ConnectionString", () => new NpgsqlConnectionStringBuilder(_connection), _log.CreateLogger("test"));
}
