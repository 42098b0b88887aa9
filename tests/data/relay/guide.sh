curl -X POST http://127.0.0.1:8080/api/v1/chat \
-H "Content-Type: application/json" \
-d '{
"message": "짜장면의 역사와 기원에 대해 상세히 조사해줘",
"auto_tool_call": true
}'
