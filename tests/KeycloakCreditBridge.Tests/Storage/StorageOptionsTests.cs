using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Storage;

public sealed class StorageOptionsTests
{
    [Fact]
    public void A_connection_string_gets_the_settings_that_the_bridge_relies_on()
    {
        var built = Build(new StorageOptions { ConnectionString = "Host=db;Database=credits" });
        Assert.Equal(15, built.CommandTimeout);
        Assert.Equal(10, built.KeepAlive);
        Assert.True(built.NoResetOnClose);
    }

    [Fact]
    public void What_the_operator_gives_wins()
    {
        var built = Build(new StorageOptions
        {
            ConnectionString = "Host=db;No Reset On Close=false;CommandTimeout=3;Options=-c search_path=credits;Password=old",
            Password = "new",
        });
        Assert.False(built.NoResetOnClose);
        Assert.Equal(3, built.CommandTimeout);
        Assert.Equal("-c search_path=credits", built.Options);
        Assert.Equal("new", built.Password);
    }

    private static NpgsqlConnectionStringBuilder Build(StorageOptions options) => new(options.BuildConnectionString());
}
