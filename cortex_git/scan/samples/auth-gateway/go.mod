module example.com/auth-gateway

go 1.19

require (
	github.com/dgrijalva/jwt-go v3.2.0+incompatible
	github.com/gin-gonic/gin v1.6.3
	golang.org/x/crypto v0.0.0-20200622213623-75b288015ac9
	golang.org/x/net v0.0.0-20220225172249-27dd8689420f
	github.com/spf13/viper v1.18.2
)

require (
	golang.org/x/text v0.3.3 // indirect
	gopkg.in/yaml.v2 v2.2.2 // indirect
	gopkg.in/yaml.v3 v3.0.0-20200313102051-9f266ea9e77c // indirect
	github.com/pelletier/go-toml v1.9.5 // indirect
)
